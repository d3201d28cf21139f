"""Template filters and tags of the pages' own vocabulary."""

import json
import time
from datetime import datetime
from functools import cache, lru_cache
from html import escape

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString, mark_safe

from portal import display, drafts, policy
from portal.lifetimes import in_words
from portal.models import AuditEvent, Outcome, State, Team, Token, User
from portal.models.flags import Flag, flags_of
from portal.policy import Limits, Reach
from portal.templatetags.fixed_urls import fixed_url
from portal.text import isolated, shown

register = template.Library()

_LINKED = ("tokens", "token-new", "access", "audit", "inventory")
_PLACE, _NOW = "\0", "\1"
"""Where a page's form token and time go in its navigation; no address of a person holds either."""
_NO_FORMS = SafeString(' data-taken="" data-turned-away=""')


register.filter("lifetime", in_words)


@register.filter
def moment(at: datetime | None) -> SafeString | str:
    """A time as UTC, or in the zone that the reader has chosen; the page's script shows it in
    theirs, UTC on hover."""
    if at is None:
        return "–"
    exact = at.isoformat(timespec="seconds")
    return mark_safe(  # noqa: S308 (a time has nothing to escape, and a page shows a hundred)
        f'<time datetime="{exact}" data-local>{display.minute(at)}</time>'
    )


register.filter(isolated)


@register.filter
def named(text: str) -> SafeString:
    """A name or a text from elsewhere (AWS, a browser, an older record) in the midst of others: set
    apart, whichever way it is written, and with everything in it to be seen."""
    return SafeString(f"<bdi>{escape(shown(text))}</bdi>" if text else "")


@register.filter
def typed(text: str) -> SafeString:
    """The same for what somebody here has typed; what is plain ASCII needs no setting apart."""
    is_plain = text.isascii() and text.isprintable()
    return SafeString(escape(text)) if is_plain else named(text)


@register.filter
def breakable(address: str) -> SafeString:
    """An address that a narrow column breaks behind its “@”, and not within a word."""
    person, at, host = escape(address).rpartition("@")
    return mark_safe(f"{person}@<wbr>{host}" if at else host)  # noqa: S308 (it is escaped)


@register.filter
def role_badge(role: str) -> SafeString:
    """A service account's Grafana role (ADMIN, EDITOR, VIEWER), said in a word and a colour."""
    said = shown(role)
    return format_html('<span class="badge role role-{}">{}</span>', said.lower(), said)


@register.filter
def state_badge(token: Token) -> SafeString:
    """Where a token is, said in a word and a colour."""
    return format_html(
        '<span class="badge state" data-state="{}">{}</span>',
        token.state,
        token.get_state_display(),
    )


@register.filter
def flags(token: Token) -> list[Flag]:
    """What stands out about a row of a team's desk."""
    return flags_of(token)


@register.filter
def is_endable(token: Token) -> bool:
    """Whether there is something to end: a token, or a request that nobody has withdrawn."""
    return policy.is_revocable(token) or policy.is_cancellable(token)


@register.simple_tag(takes_context=True)
def navigation(context: Context) -> SafeString:
    """Where a person may go from this page, and how many requests wait for them to approve."""
    user, path = context["user"], context["request"].path
    reach = policy.reach(user)
    waiting = policy.approvable_tokens(user).count() if reach.approves else 0
    here = next((name for name in _LINKED if path == fixed_url(name)), "")
    if path.startswith(fixed_url("teams")):
        here = "teams"  # whichever of them
    if path.startswith(fixed_url("access")):
        here = "access"
    drawn = _navigation(
        user.pk, user.email, user.is_admin, reach, waiting, here, settings.PASSWORD_SIGN_IN
    )
    filled = drawn.replace(_PLACE, str(context["csrf_token"])).replace(_NOW, server_time())
    return mark_safe(filled)  # noqa: S308 (64 letters and a number were put in)


@register.simple_tag
def server_time() -> str:
    """Milliseconds since 1970, for pages on computers whose own clock is wrong."""
    return str(time.time_ns() // 1_000_000)


@lru_cache(maxsize=1000)
def _navigation(
    pk: int, email: str, is_admin: bool, reach: Reach, waiting: int, here: str, by_password: bool
) -> SafeString:
    """Drawn once for all pages that show the same but for their form token."""
    return render_to_string(
        "allauth/layouts/navigation.html",
        {
            "email": email,
            "is_admin": is_admin,
            "reach": reach,
            "waiting": waiting,
            "here": here,
            "by_password": by_password,
            "form_token": _PLACE,
            "person": pk,
            "now": _NOW,
        },
    )


@register.simple_tag(takes_context=True)
def answered_forms(context: Context) -> SafeString:
    """The numbers of the forms that were answered lately, for the page's script."""
    request = context.get("request")
    if request is None or drafts.COOKIE not in request.COOKIES:
        return _NO_FORMS
    taken = drafts.answered(request, drafts.TAKEN)
    turned_away = drafts.answered(request, drafts.TURNED_AWAY)
    return format_html(' data-taken="{}" data-turned-away="{}"', taken, turned_away)


@register.filter
def form_number(request: HttpRequest) -> str:
    """The number of the form that a page answers by itself."""
    return drafts.number_of(request)


@register.filter
def outcome_badge(event: AuditEvent) -> SafeString:
    """How an event came out; what went well needs no badge."""
    if event.outcome == Outcome.SUCCEEDED:
        return SafeString("")
    return format_html(' <span class="badge state" data-state="failed">{}</span>', event.outcome)


@register.filter
def may_audit(user: User) -> bool:
    return policy.may_audit(user)


@register.filter
def limits_json(limits: Limits, team: Team) -> str:
    """A team's limits as the page's script reads them."""
    return json.dumps(
        {"name": team.name, "max_ttl": limits.max_ttl, "default_ttl": limits.default_ttl}
    )


@register.simple_tag
@cache
def state_labels() -> SafeString:
    """Every state with its words, for the page's script."""
    return json_script({state.value: str(state.label) for state in State}, "state-labels")
