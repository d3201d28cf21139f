"""Template tags for what has one URL for as long as the process lives.

A page names about twenty styles and scripts and a dozen other pages. Looked up anew each time, and
tag by tag, they took an eighth of the function calls that drawing a token's page took.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from django import template
from django.contrib.staticfiles import finders
from django.template import defaulttags
from django.template.base import Node, Parser, Token
from django.template.context import Context
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

IMPORT = re.compile(r'^(?:import|export) .*?"\./([\w-]+)\.js";$', re.MULTILINE)


@cache
def fixed_url(name: str) -> str:
    """Where a page without parameters is, by its name in portal.urls."""
    return reverse(name)


@register.simple_tag
@cache
def stylesheets(*names: str) -> SafeString:
    """Links to stylesheets of ``static/css``."""
    return _tags('<link rel="stylesheet" href="{}">', "css/{}.css", names)


@register.simple_tag
@cache
def scripts(*names: str) -> SafeString:
    """Modules of ``static/js``, and beside them all that they import, so that it comes at once."""
    imported = [name for name in _with_imports(names) if name not in names]
    return format_html(
        "{}\n{}",
        _tags('<script type="module" src="{}"></script>', "js/{}.js", names),
        _tags('<link rel="modulepreload" href="{}">', "js/{}.js", imported),
    )


def _tags(tag: str, file: str, names: Iterable[str]) -> SafeString:
    return format_html_join("\n", tag, ((static(file.format(name)),) for name in names))


def _with_imports(names: tuple[str, ...]) -> Iterator[str]:
    """The modules, and what they import, directly or not; each once."""
    waiting, found = list(names), set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found.add(name)
        yield name
        source = finders.find(f"js/{name}.js")
        if source is None:
            raise LookupError(f"there is no module static/js/{name}.js")
        waiting += IMPORT.findall(Path(source).read_text())


@register.tag
def url(parser: Parser, token: Token) -> Node:
    """Django's own ``url``, which looks an address without parameters up once."""
    node = defaulttags.url(parser, token)
    if node.args or node.kwargs or not isinstance(node.view_name.var, str):
        return node
    return _Fixed(node.view_name, [], {}, node.asvar)


class _Fixed(defaulttags.URLNode):
    def render(self, context: Context) -> str:
        try:
            found = fixed_url(self.view_name.var)
        except NoReverseMatch:
            return str(super().render(context))  # it knows what to do then
        if self.asvar is None:
            return found
        context[self.asvar] = found
        return ""
