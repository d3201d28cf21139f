"""What the documents name is there, and what is there they name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from tests.operations import document
from tests.product import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TYPED = [*PAGES, *sorted((ROOT / "deploy").glob("**/*.example")), ROOT / "deploy" / "Caddyfile"]
SETTING = re.compile(
    r"\b(?:PORTAL_[A-Z_]+|(?:SECRET|AUDIT)_KEYS?(?:_RETIRED)?|ALLOWED_HOSTS"
    r"|(?:DATABASE|CELERY_BROKER|CACHE|EMAIL)_URL)(?=[^A-Z_*]|$)"
)
READ = re.compile(rf'"({SETTING.pattern})"')
BETWEEN_OUR_OWN_PROCESSES = {"PORTAL_WEB_LEFT_BEHIND"}
OF_THE_PACKAGING = {"PORTAL_HOST", "PORTAL_UPSTREAMS", "PORTAL_PORT", "PORTAL_PAUSE"}
"""Caddy's, compose's and the rolling script's own."""
NAMES_OF_FILES = {"PORTAL_ACCESS_FILE", "PORTAL_AUDIT_HEAD_FILE"}
OF_DEVELOPERS = {"PORTAL_TEST_STACK", "PORTAL_TEST_CHAOS"}
MANAGE = re.compile(r"(?:manage\.py|portal-manage) ([a-z_]+)((?: [^`|\n\\]*)?)")
OPTION = re.compile(r"--[a-z][a-z-]+")
MAKE = re.compile(r"`make ([a-z-]+)(?: [^`]*)?`")
MODULE = re.compile(r"python3? -m ((?:bench|tests|portal)[\w.]*)((?: [^`|\n\\]*)?)")
PLACE = re.compile(r"`((?:deploy|docs|tests|bench|portal|templates|static)/[\w./-]*\w)`")
LINK = re.compile(r"\]\(([^):#]+\.md)(?:#([\w-]+))?\)")


def suffixes_apart(name: str) -> str:
    """The setting that may be given in a file, or be meant without TLS."""
    if name in NAMES_OF_FILES:
        return name
    return name.removesuffix("_FILE").removesuffix("_WITHOUT_TLS")


def read_by_code() -> set[str]:
    """Settings by their names, wherever the portal's own code has them as a text."""
    sources = [*(ROOT / "portal").rglob("*.py"), ROOT / "deploy" / "gunicorn.conf.py"]
    return {name for path in sources for name in READ.findall(path.read_text())}


def in_the_table() -> set[str]:
    """Those of docs/OPERATIONS.md's table, of which production knows nothing else."""
    rows = [
        line.split("|")[1]
        for line in document.DOCUMENT.read_text().splitlines()
        if line.startswith("| `")
    ]
    return {name for row in rows for name in SETTING.findall(row)}


@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.name)
def test_each_setting_that_a_page_names_exists(page: Path) -> None:
    there = {suffixes_apart(name) for name in read_by_code()} | OF_THE_PACKAGING | OF_DEVELOPERS
    named = {suffixes_apart(name) for name in SETTING.findall(page.read_text())}
    assert named - there == set()


def test_each_setting_that_exists_is_in_the_table() -> None:
    exists = {suffixes_apart(name) for name in read_by_code()} - BETWEEN_OUR_OWN_PROCESSES
    text = document.DOCUMENT.read_text()
    assert exists - in_the_table() - {name for name in exists if f"`{name}=1`" in text} == set()


def typed_commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    for name, rest in MANAGE.findall(page.read_text()):
        yield name, OPTION.findall(rest)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_command_that_a_page_names_exists_with_its_options(page: Path) -> None:
    for name, options in typed_commands(page):
        if name == "run":
            continue
        assert name in get_commands(), name
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        known = {text for action in parser._actions for text in action.option_strings}
        assert set(options) - known == set(), name


def test_each_command_of_ours_is_in_the_table_which_a_script_runs() -> None:
    """``make install-check`` runs each row (tests/operations/inside.py)."""
    ours = {path.stem for path in (ROOT / "portal" / "management" / "commands").glob("[a-z]*.py")}
    rows = {row.split()[0] for row in document.commands(document.DOCUMENT.read_text())}
    text = document.DOCUMENT.read_text() + (ROOT / "docs" / "AUDIT.md").read_text()
    elsewhere = {name for name in ours if f"manage.py {name}" in text or name == "run"}
    assert ours - rows - elsewhere == set()


def test_each_target_of_make_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in MAKE.findall(page.read_text())}
    assert named - targets == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_module_that_a_page_has_run_exists_with_its_options(page: Path) -> None:
    for name, rest in MODULE.findall(page.read_text()):
        place = ROOT / Path(*name.rstrip(".").split("."))
        file = place / "__main__.py" if place.is_dir() else place.with_suffix(".py")
        assert file.exists(), name
        known = set(OPTION.findall(file.read_text()))
        assert {one for one in OPTION.findall(rest) if one not in known} == set(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_file_and_section_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    assert [place for place in PLACE.findall(text) if not (ROOT / place).exists()] == []
    for target, section in LINK.findall(text):
        other = page.parent / target
        assert other.exists(), target
        if section:
            titles = re.findall(r"^#+ (.+)$", other.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in titles}
            assert section in anchors, (target, section)


def test_the_script_that_follows_the_document_knows_each_of_its_blocks() -> None:
    """``make install-check`` is run by hand; this says when the document has left it behind."""
    text = document.DOCUMENT.read_text()
    script = (ROOT / "tests" / "operations" / "inside.py").read_text()
    expected = re.findall(r'self\.take\("([^"]+)"\)|self\.take\(\'([^\']+)\'\)', script)
    known = sorted(one or other for one, other in expected)
    assert sorted(block.first for block in document.blocks(text)) == known
    assert "portal-manage doctor" in document.inline(text)
    assert len(document.commands(text)) >= 10
