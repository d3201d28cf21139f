"""Pages, mails and docs say each act by its own word (docs/WORDS.md)."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OTHER_WORDS = re.compile(
    r"\b(re-?issu\w*|rotat\w*|regenerat\w*|recreat\w*|successors?|predecessors?)\b", re.IGNORECASE
)
"""For renewing and replacing a token, which are the words that people meet."""
MARKUP = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}|<[^>]*>|\S*reissue/\S*", re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`]*`|^    .*?$|\]\([^)]*\)", re.DOTALL | re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
SAID_BY_A_SCRIPT = re.compile(r"\"[^\"\n]* [^\"\n]*\"|`[^`\n]* [^`\n]*`")


def test_pages_and_mails_have_one_word_for_each_act() -> None:
    said = {
        f"{path.name}: {found[0]}"
        for path in (ROOT / "templates").rglob("*")
        if path.suffix in (".html", ".txt")
        for found in OTHER_WORDS.finditer(MARKUP.sub(" ", path.read_text()))
    }
    assert said == set()


def test_scripts_have_one_word_for_each_act() -> None:
    said = {
        f"{path.name}: {sentence}"
        for path in (ROOT / "static" / "js").glob("*.js")
        for sentence in SAID_BY_A_SCRIPT.findall(COMMENT.sub("", path.read_text()))
        if OTHER_WORDS.search(re.sub(r"\$\{[^}]*\}", "", sentence))
    }
    assert said == set()


def test_docs_have_one_word_for_each_act() -> None:
    """Secrets and certificates may be rotated, and WORDS.md names the words that it rules out."""
    said = {
        f"{path.name}: {found[0]}"
        for path in (*(ROOT / "docs").glob("*.md"), ROOT / "README.md")
        if path.name not in ("WORDS.md",)
        for found in re.finditer(r"\bre-?issu\w*", CODE.sub(" ", path.read_text()), re.IGNORECASE)
    }
    assert said == set()
