"""The rows of the log's table, drawn here: a template takes three times as long for them."""

from functools import cache

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator

from portal.models import AuditEvent
from portal.views.ui import breakable, moment, outcome_badge

LONGEST_NOTE = 80
_ROW = (
    '<tr>\n<th scope="row"><a href="{}"><code>{}</code></a>{}{}</th>\n'
    '<td data-label="When">{}</td>\n'
    '<td data-label="Who"><span>{}{}</span></td>\n'
    '<td data-label="Token">{}</td>\n'
    '<td data-label="Where">{}</td>\n'
    '<td data-label="Team">{}</td>\n</tr>\n'
)
_NONE = mark_safe('<span class="soft">–</span>')
_NO_TOKEN = "00000000-0000-0000-0000-000000000000"  # noqa: S105 (a stand-in for an id, no secret)


def rows(events: list[AuditEvent]) -> SafeString:
    """One row for each event, in their order; the columns are those of the page's table."""
    return format_html_join("", "{}", ((_row(event),) for event in events))


def _row(event: AuditEvent) -> SafeString:
    return format_html(
        _ROW,
        _address("audit-event", "0", event.seq),
        event.action,
        outcome_badge(event),
        _note(event),
        moment(event.at),
        breakable(event.actor),
        _owner(event),
        _token(event),
        _place(event),
        event.team or _NONE,
    )


def _note(event: AuditEvent) -> SafeString | str:
    if event.error_code:
        return format_html("<small>{}</small>", event.error_code)
    if event.reason:
        return format_html("<small>“{}”</small>", Truncator(event.reason).chars(LONGEST_NOTE))
    if event.subject:
        return format_html("<small>{}</small>", Truncator(event.subject).chars(LONGEST_NOTE))
    return ""


def _owner(event: AuditEvent) -> SafeString | str:
    if not event.owner or event.owner == event.actor:
        return ""
    return format_html("<small>for {}</small>", breakable(event.owner))


def _token(event: AuditEvent) -> SafeString:
    if event.token_id is None:
        return _NONE
    address = _address("audit-story", _NO_TOKEN, event.token_id)
    return format_html('<a href="{}">{}</a>', address, event.token_name)


def _place(event: AuditEvent) -> SafeString:
    if not event.workspace:
        return _NONE
    return format_html(
        "<span>{}<small>in {}</small></span>", event.service_account_name, event.workspace_name
    )


def _address(route: str, stand_in: str, of: object) -> str:
    before, after = _around(route, stand_in)
    return f"{before}{of}{after}"


@cache
def _around(route: str, stand_in: str) -> tuple[str, str]:
    """A page's address before and behind what it is of: two reversals a row would be a tenth of the
    page."""
    before, _, after = reverse(route, args=[stand_in]).rpartition(stand_in)
    return before, after
