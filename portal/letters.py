"""A mail's HTML, made of its text: whoever reads the one reads what stands in the other.

The text of a mail is blocks with an empty line between them. What a block is, its shape says:

    --                       from here on the foot, small
    Platform                 a heading: the second line is dashes
    --------
      Token      ci          facts: two blanks, a name, two blanks or more, a value
      Ends soon: 2           a list: what stands deeper belongs to the line before it
        ci of a@example.com
      somebody's reason      words of somebody's: two blanks before each line
    Open its page:           the mail's one link, and what it does
    https://...

Everything else is a paragraph. Nothing that people or AWS have written holds a line break by then
(portal.text.shown), so that none of it can pass for another block, and only the address that the
portal itself gives is made a link (docs/decisions/0046).
"""

import re
from collections.abc import Iterator
from html import escape

_FACT = re.compile(r"  (\S.{0,20}?) {2,}(\S.*)")
_FOOT = "--"

_STYLE = """
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
  .paper { background: #13181a !important; color: #eae6dc !important; }
  .sheet { background: #1b2224 !important; border-color: #2f393b !important; }
  .soft { color: #abb3b0 !important; }
  .line { border-color: #2f393b !important; }
  .quote { border-color: #79cbc4 !important; }
  .act { background: #79cbc4 !important; color: #06282b !important; }
}
"""
_SANS = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_SERIF = "ui-serif,'Iowan Old Style',Palatino,Georgia,serif"
_WRAP = "overflow-wrap:anywhere;word-break:break-word"


def as_html(subject: str, text: str, *, links_to: str) -> str:
    """The HTML of a mail; an address is its link where it begins with ``links_to``, the portal's
    own origin. Loads nothing from anywhere."""
    body, _, foot = text.strip().rpartition(f"\n{_FOOT}\n")
    if not body:
        body, foot = foot, ""
    parts = "\n".join(_part(lines, links_to) for lines in _blocks(body))
    end = (
        f'<p class="soft" style="margin:16px 8px 0;font-size:13px;color:#515c5f">'
        f"{escape(' '.join(foot.split()))}</p>"
        if foot
        else ""
    )
    title = escape(subject)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>{title}</title>
<style>{_STYLE}</style>
</head>
<body class="paper" style="margin:0;padding:24px 12px;background:#f6f3ec;color:#1c2427;\
font:16px/1.55 {_SANS};{_WRAP}">
<main style="max-width:600px;margin:0 auto">
<p class="soft" style="margin:0 8px 12px;font-size:14px;color:#515c5f">Token portal</p>
<div class="sheet" style="padding:24px;background:#fffdf9;border:1px solid #e0dacb;\
border-radius:10px">
<h1 style="margin:0 0 16px;font:600 22px/1.25 {_SERIF}">{title}</h1>
{parts}
</div>
{end}
</main>
</body>
</html>
"""


def _blocks(text: str) -> Iterator[list[str]]:
    for block in re.split(r"\n[ ]*\n", text.strip("\n")):
        lines = [line.rstrip() for line in block.split("\n") if line.strip()]
        if lines:
            yield lines


def _part(lines: list[str], links_to: str) -> str:
    link = lines[-1].strip()
    if len(lines) <= 2 and link.startswith(f"{links_to}/") and " " not in link:
        does = lines[0].strip().rstrip(":") if len(lines) == 2 else "Open it in the portal"
        return (
            f'<p style="margin:24px 0 0"><a class="act" href="{escape(link)}" style="display:'
            "inline-block;padding:12px 20px;background:#0d5a61;color:#ffffff;border-radius:6px;"
            f'font-weight:600;text-decoration:none">{escape(does)}</a></p>'
        )
    if len(lines) == 2 and set(lines[1]) == {"-"}:
        return f'<h2 style="margin:24px 0 8px;font:600 18px/1.3 {_SERIF}">{escape(lines[0])}</h2>'
    if all(line.startswith("  ") for line in lines):
        facts = [_FACT.fullmatch(line) for line in lines]
        if all(facts):
            return _facts([(one[1], one[2]) for one in facts if one])
        if any(line.startswith("    ") for line in lines):
            return _list(lines)
        words = "<br>".join(escape(line.strip()) for line in lines)
        return (
            '<blockquote class="quote" style="margin:0 0 16px;padding:2px 0 2px 14px;border-left:'
            f'3px solid #0d5a61">{words}</blockquote>'
        )
    return f'<p style="margin:0 0 16px">{escape(" ".join(line.strip() for line in lines))}</p>'


def _facts(facts: list[tuple[str, str]]) -> str:
    cell = "padding:6px 12px 6px 0;border-top:1px solid #e0dacb;text-align:left;vertical-align:top"
    rows = "".join(
        f'<tr><th scope="row" class="soft line" style="{cell};font-weight:400;color:#515c5f;'
        f'width:34%">{escape(name)}</th><td class="line" style="{cell}">{escape(value)}</td></tr>'
        for name, value in facts
    )
    return (
        '<table style="width:100%;margin:0 0 16px;border-collapse:collapse;table-layout:fixed">'
        f"{rows}</table>"
    )


def _list(lines: list[str]) -> str:
    found = []
    is_open = False
    for line in lines:
        is_deep = line.startswith("    ")
        if is_deep and not is_open:
            found.append('<ul style="margin:0 0 16px;padding-left:20px">')
        elif is_open and not is_deep:
            found.append("</ul>")
        is_open = is_deep
        words = escape(line.strip())
        found.append(
            f"<li>{words}</li>"
            if is_deep
            else f'<p style="margin:0 0 4px;font-weight:600">{words}</p>'
        )
    return "".join(found) + ("</ul>" if is_open else "")
