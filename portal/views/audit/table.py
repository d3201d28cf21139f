"""The rows of the log's table, written as plain strings: format_html takes three times as long for
them or more, and a template three times that.

Each function returns HTML, in which every word of an event has been escaped.
"""

from functools import cache
from html import escape
from itertools import groupby

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator

from portal.audit.vocabulary import IN_WORDS
from portal.models import Action, AuditEvent
from portal.templatetags.pages import breakable, moment, named, outcome_badge, role_badge, typed

LONGEST_NOTE = 80
_NONE = '<span class="soft none">–</span>'
_NO_TOKEN = "00000000-0000-0000-0000-000000000000"  # noqa: S105 (a stand-in for an id, no secret)


def rows(events: list[AuditEvent], *, folded: bool = True) -> SafeString:
    """A row for each event, in their order; the columns are those of the page's table.

    ``folded``: sign-ins of one person with nothing between them share a row, which opens.
    """
    runs = groupby(events, key=_person_signing_in if folded else _alone)
    drawn = (_folded(run) if len(run) > 1 else _row(run[0]) for run in (list(r) for _, r in runs))
    return mark_safe("".join(drawn))  # noqa: S308 (every word in it is escaped)


def _alone(event: AuditEvent) -> int:
    return event.seq


def _person_signing_in(event: AuditEvent) -> object:
    """The same for events that share a row, and for no others: what was refused is always seen."""
    return event.actor if event.action == Action.SIGNIN_SUCCEEDED else event.seq


def _folded(run: list[AuditEvent]) -> str:
    newest, oldest = run[0], run[-1]
    each = "".join(
        f'<li><a href="{_address("audit-event", "0", event.seq)}">{moment(event.at)}</a>'
        f"{_note(event)}</li>\n"
        for event in run
    )
    when = f'{moment(newest.at)} <span class="soft">back to</span> {moment(oldest.at)}'
    return (
        f'<tr>\n<th scope="row"><details class="run"><summary>{len(run)} sign-ins '
        f"<code>{escape(newest.action)}</code></summary>\n"
        f"<ol data-zone-said>{each}</ol></details></th>\n"
        f'<td data-label="When"><span class="run-times">{when}</span></td>\n'
        f'<td data-label="Who"><span>{breakable(newest.actor)}</span></td>\n'
        f'<td data-label="Token">{_NONE}</td>\n<td data-label="Where">{_NONE}</td>\n'
        f'<td data-label="Role">{_NONE}</td>\n<td data-label="Team">{_NONE}</td>\n</tr>\n'
    )


def _row(event: AuditEvent) -> str:
    return (
        f'<tr>\n<th scope="row"><a href="{_address("audit-event", "0", event.seq)}">'
        f"{escape(IN_WORDS.get(event.action, event.action))} "
        f"<code>{escape(event.action)}</code></a>"
        f"{outcome_badge(event)}{_note(event)}</th>\n"
        f'<td data-label="When">{moment(event.at)}</td>\n'
        f'<td data-label="Who"><span>{breakable(event.actor)}{_owner(event)}</span></td>\n'
        f'<td data-label="Token">{_token(event)}</td>\n'
        f'<td data-label="Where">{_place(event)}</td>\n'
        f'<td data-label="Role">{_role(event)}</td>\n'
        f'<td data-label="Team">{escape(event.team) or _NONE}</td>\n</tr>\n'
    )


def _note(event: AuditEvent) -> str:
    if event.error_code:
        return f"<small>{typed(event.error_code)}</small>"
    if event.reason:
        return f"<small>“{typed(_shortened(event.reason))}”</small>"
    if event.subject:
        return f"<small>{typed(_shortened(event.subject))}</small>"
    return ""


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_NOTE else Truncator(text).chars(LONGEST_NOTE)


def _owner(event: AuditEvent) -> str:
    if not event.owner or event.owner == event.actor:
        return ""
    return f"<small>for {breakable(event.owner)}</small>"


def _token(event: AuditEvent) -> str:
    if event.token_id is None:
        return _NONE
    address = _address("audit-story", _NO_TOKEN, event.token_id)
    return f'<a href="{address}">{typed(event.token_name)}</a>'


def _role(event: AuditEvent) -> str:
    return role_badge(event.grafana_role) if event.grafana_role else _NONE


def _place(event: AuditEvent) -> str:
    if not event.workspace:
        return _NONE
    account, workspace = named(event.service_account_name), named(event.workspace_name)
    return f"<span>{account}<small>in {workspace}</small></span>"


def _address(route: str, stand_in: str, of: object) -> str:
    before, after = _around(route, stand_in)
    return f"{before}{of}{after}"


@cache
def _around(route: str, stand_in: str) -> tuple[str, str]:
    """A page's address before and behind what it is of: two reversals a row would be a tenth of the
    page."""
    before, _, after = reverse(route, args=[stand_in]).rpartition(stand_in)
    return before, after
