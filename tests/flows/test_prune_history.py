"""`manage.py prune` deletes what is over for long; events, and what AWS may still have, stay."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal.audit import SYSTEM, keys
from portal.audit.database import verify_database
from portal.flows.prune_history import prune_history
from portal.life import moves, work
from portal.metrics import history
from portal.models import Action, AuditEvent, Handover, Notice, NoticeKind, State, Token, User
from tests.conftest import Catalog, asked_for

pytestmark = pytest.mark.django_db

LONG_AGO = timedelta(days=401)


@pytest.fixture
def catalog(rows: Catalog) -> Catalog:
    """Without AWS: nothing is asked here."""
    return rows


def ended(make: Callable[..., Token], owner: User, **fields: object) -> Token:
    at = timezone.now() - LONG_AGO
    return make(owner, **{"state": State.REVOKED, "state_at": at, "expires_at": at} | fields)


def test_what_ended_long_ago_goes_and_its_events_stay(
    make_token: Callable[..., Token], engineer: User
) -> None:
    token = asked_for(ended(make_token, engineer, state=State.QUEUED))
    with work(SYSTEM) as unit:
        unit.move(unit.lock(token.pk), moves.CANCEL)
        unit.tell(NoticeKind.LAPSED, token, to=[engineer])
    Handover.objects.create(token=token, giver=engineer, heir=engineer, renews=False)
    Token.objects.update(state_at=timezone.now() - LONG_AGO)
    events = AuditEvent.objects.count()
    out = StringIO()
    call_command("prune", stdout=out)
    assert "tokens and requests: 1" in out.getvalue()
    assert not Token.objects.exists()
    assert not Notice.objects.exists()
    assert not Handover.objects.exists()
    last = AuditEvent.objects.latest("seq")
    assert AuditEvent.objects.count() == events + 1
    assert (last.action, last.count) == (Action.HISTORY_PRUNED, 1)
    assert last.subject.startswith("1 tokens and requests that ended before ")
    verify_database(keys.every(), {})


@pytest.mark.parametrize(
    "fields",
    [
        {"state": State.ACTIVE},
        {"state": State.QUEUED},
        {"state_at": timezone.now() - timedelta(days=399)},
        {"may_exist_at_aws": True},
        {"unresolved_since": timezone.now()},
        {"expires_at": timezone.now() + timedelta(days=1)},
    ],
)
def test_what_is_not_over_for_sure_stays(
    make_token: Callable[..., Token], engineer: User, fields: dict[str, object]
) -> None:
    ended(make_token, engineer, **fields)
    prune_history(days=400, actor=SYSTEM)
    assert Token.objects.count() == 1
    assert not AuditEvent.objects.filter(action=Action.HISTORY_PRUNED).exists()


def test_a_successor_that_lives_on_forgets_which_row_it_followed(
    make_token: Callable[..., Token], engineer: User
) -> None:
    old = ended(make_token, engineer)
    new = make_token(engineer, state=State.ACTIVE, replaces=old, lineage_name=old.name)
    prune_history(days=400, actor=SYSTEM)
    new.refresh_from_db()
    assert (new.replaces, new.first_name) == (None, old.name)


def test_sessions_and_mails_that_are_over_go(
    make_token: Callable[..., Token], engineer: User
) -> None:
    now = timezone.now()
    Session.objects.create(session_key="old", expire_date=now - LONG_AGO)
    Session.objects.create(session_key="new", expire_date=now + timedelta(hours=1))
    token = make_token(engineer, state=State.ACTIVE)
    for sent in (now - LONG_AGO, now, None):
        Notice.objects.create(
            kind=NoticeKind.REISSUED, token=token, recipient=engineer, sent_at=sent
        )
    Notice.objects.filter(sent_at__lt=now - timedelta(days=1)).update(created_at=now - LONG_AGO)
    gone = prune_history(days=400, actor=SYSTEM)
    assert (gone["sessions"], gone["notices"]) == (1, 1)
    assert [*Session.objects.values_list("session_key", flat=True)] == ["new"]


def test_rows_that_monitors_have_not_counted_stay(
    make_token: Callable[..., Token], engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(make_token, engineer)
    monkeypatch.setattr(history, "LONGEST_FOLD", 0.0)
    with pytest.raises(CommandError, match="has not counted"):
        call_command("prune", stdout=StringIO())
    assert Token.objects.exists()


@pytest.mark.parametrize("days", ["0", "-1", "many", "1.5"])
def test_days_are_a_number_of_days(days: str) -> None:
    with pytest.raises((CommandError, SystemExit)):
        call_command("prune", f"--days={days}", stdout=StringIO())
