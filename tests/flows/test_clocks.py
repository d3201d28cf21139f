"""A clock that is more than a minute from AWS's ends no life."""

import logging
import types
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from portal import clock, gateway
from portal.clock import Standing
from portal.flows.deliver import Confirmation, deliver
from portal.flows.issue import issue
from portal.flows.mail import mail
from portal.flows.mail_password import mail_password
from portal.flows.recover import settle
from portal.gateway import Gateway
from portal.grafana import heard
from portal.grafana.errors import GrafanaError
from portal.models import (
    Clock,
    Connection,
    Heartbeat,
    Notice,
    NoticeKind,
    PasswordMail,
    ServiceAccount,
    State,
    Token,
    User,
)
from portal.scheduler import run_all as sweep
from tests.conftest import acting, asked_for
from tests.grafana.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting", "catalog", "enqueued")]

HOURS = 3 * 3600
OFF = [HOURS, 90, -90, -HOURS]
"""Seconds by which AWS's clock is ahead of ours."""
CREATE = "CreateWorkspaceServiceAccountToken"


def ago(**span: float) -> datetime:
    return timezone.now() - timedelta(**span)


def set_apart(aws: SandboxProcess, seconds: float) -> None:
    """AWS's clock is so far ahead of all of ours, and we have heard of it."""
    aws.settings(skew_seconds=seconds)
    heard.forget()
    clock._Noted.at = float("-inf")
    gateway.ask_the_time(Connection.objects.all())


DUE: dict[str, tuple[dict[str, Any], State]] = {
    "its time is over": ({"state": State.ACTIVE, "expires_at": ago(hours=1)}, State.EXPIRED),
    "nobody came for its key": (
        {"state": State.SEALED, "sealed_key": b"x", "sealed_at": ago(hours=1)},
        State.REVOKING,
    ),
    "its key came too late": (
        {"state": State.SEALED, "sealed_key": b"x", "expires_at": ago(hours=1)},
        State.REVOKING,
    ),
    "its overlap is over": ({"state": State.ACTIVE, "revoke_at": ago(hours=1)}, State.REVOKING),
    "its time is over while AWS would not delete it": (
        {"state": State.REVOKING, "expires_at": ago(hours=1), "error_code": "NoAnswer"},
        State.REVOKED,
    ),
    "it waited for an hour": ({"queued_at": ago(hours=2)}, State.FAILED),
    "nobody approved it": (
        {"state": State.AWAITING_APPROVAL, "state_at": ago(days=8)},
        State.CANCELLED,
    ),
    "nobody collected it": (
        {"state": State.AWAITING_RECIPIENT, "state_at": ago(days=8)},
        State.CANCELLED,
    ),
}


def failed_attempt(make_token: Callable[..., Token], engineer: User) -> Token:
    """A request that ended without knowing what its create has left at AWS."""
    now = Token.objects.database_now()
    return make_token(
        engineer,
        state=State.FAILED,
        may_exist_at_aws=True,
        unresolved_since=now,
        last_signature_at=now,
    )


def make_at_aws(token: Token) -> None:
    """What was sent long ago arrives."""
    Gateway(token.workspace.connection).create_token(
        token.workspace.aws_id,
        token.service_account.aws_id,
        name=token.name,
        seconds_to_live=token.seconds_to_live,
    )


OF_REQUESTS = {"it waited for an hour", "nobody approved it", "nobody collected it"}


@pytest.fixture(params=DUE, ids=list(DUE))
def due(request: Any, make_token: Callable[..., Token], engineer: User) -> tuple[Token, State]:
    """A token that ends with the next sweep, and how."""
    fields, end = DUE[request.param]
    token = make_token(engineer, **fields)
    token.reason = request.param
    return token, end


def state(token: Token) -> str:
    return Token.objects.values_list("state", flat=True).get(pk=token.pk)


@pytest.mark.parametrize("seconds", OFF)
def test_nothing_ends_by_a_clock_that_is_more_than_a_minute_from_awss(
    due: tuple[Token, State], aws: SandboxProcess, seconds: int
) -> None:
    token, end = due
    before = token.state
    set_apart(aws, seconds)
    sweep()
    assert state(token) == before
    set_apart(aws, 0)
    Clock.objects.update(rests_until=None)
    sweep()
    assert state(token) == end


@pytest.mark.parametrize("seconds", [45, -45])
def test_a_clock_that_is_less_than_a_minute_from_awss_is_believed(
    due: tuple[Token, State], aws: SandboxProcess, seconds: int
) -> None:
    set_apart(aws, seconds)
    sweep()
    assert state(due[0]) == due[1]
    assert clock.findings() == []


def test_a_clock_that_jumps_is_noticed_before_aws_is_asked_again(
    due: tuple[Token, State],
) -> None:
    """Between two answers AWS's time is reckoned by a clock that nobody sets."""
    token, before = due[0], due[0].state
    now = heard.steady()
    # An answer of five minutes ago, when our clock, which is three hours ahead now, was right.
    date = datetime.now(UTC) - timedelta(hours=3, minutes=5)
    heard.note(date, sent=now - 300, received=now - 300)
    sweep()
    assert state(token) == before


def test_one_sweep_on_a_host_whose_clock_is_three_hours_ahead_ends_nothing(
    due: tuple[Token, State], aws: SandboxProcess
) -> None:
    token, before = due[0], due[0].state
    aws.settings(skew_seconds=-HOURS)
    heard.forget()
    call_command("sweep")
    assert state(token) == before


def test_while_aws_is_silent_only_what_has_no_token_there_ends(
    due: tuple[Token, State], aws: SandboxProcess
) -> None:
    token, end = due
    before = token.state
    heard.forget()
    assert clock.verdict().standing is Standing.UNKNOWN
    sweep()
    assert state(token) == (end if token.reason in OF_REQUESTS else before)


def test_a_clock_that_was_off_when_aws_was_last_heard_stays_off(
    due: tuple[Token, State], aws: SandboxProcess
) -> None:
    token, before = due[0], due[0].state
    set_apart(aws, -HOURS)
    heard.forget()  # as a process that has just begun
    Clock.objects.update(at=ago(days=9))
    sweep()
    assert state(token) == before


def test_an_answer_of_aws_counts_for_a_day() -> None:
    now, date = heard.steady(), datetime.now(UTC)
    for seconds, standing in ((86_000, Standing.AGREES), (86_500, Standing.UNKNOWN)):
        heard.note(date - timedelta(seconds=seconds), sent=now - seconds, received=now - seconds)
        assert clock.verdict().standing is standing


def test_where_answers_of_aws_have_no_date_our_clock_is_all_there_is() -> None:
    heard.forget()
    heard.note(None, sent=0.0, received=0.0)
    assert clock.verdict().standing is Standing.AGREES


@pytest.mark.parametrize(("took", "is_off"), [(0.0, True), (13.0, False)])
def test_the_time_that_a_call_takes_is_allowed_for(took: float, is_off: bool) -> None:
    """When in that time AWS wrote its date is not known."""
    now = heard.steady()
    date = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=70)
    heard.note(date, sent=now - took, received=now)
    assert (clock.verdict().standing is Standing.OFF) == is_off


@pytest.mark.parametrize(
    "due", [name for name in DUE if name != "its overlap is over"], indirect=True
)
def test_after_a_clock_was_behind_nothing_ends_by_its_age_for_an_hour(
    due: tuple[Token, State], aws: SandboxProcess
) -> None:
    """What was stamped meanwhile seems older than it is."""
    token, end = due
    before = token.state
    counts_from_our_clock = "sealed_at" in DUE[token.reason][0] or token.reason in OF_REQUESTS
    set_apart(aws, HOURS)
    set_apart(aws, 0)
    sweep()
    if token.state != State.SEALED:
        assert state(token) == (before if counts_from_our_clock else end)
    Clock.objects.update(rests_until=ago(seconds=1))
    sweep()
    assert state(token) == end


def test_what_waits_for_credentials_does_not_fail_by_a_clock_that_is_off(
    aws: SandboxProcess, make_token: Callable[..., Token], engineer: User
) -> None:
    token = asked_for(make_token(engineer, waits_since=ago(hours=2), error_code="RequestExpired"))
    set_apart(aws, -HOURS)
    issue(token.pk)
    token.refresh_from_db()
    assert token.error_code in ("InvalidSignatureException", "RequestExpired")
    assert token.state == State.QUEUED
    aws.settings(skew_seconds=0)
    aws.fault("error", "before", operation=CREATE, status=403, type="UnrecognizedClientException")
    Token.objects.filter(pk=token.pk).update(not_before=None)
    issue(token.pk)
    assert state(token) == State.FAILED


@pytest.mark.parametrize("seconds", [HOURS, 0, -HOURS])
def test_an_overlap_ends_by_awss_time(
    aws: SandboxProcess, make_token: Callable[..., Token], engineer: User, seconds: int
) -> None:
    old = make_token(engineer, state=State.ACTIVE, expires_at=timezone.now() + timedelta(days=9))
    new = make_token(
        engineer,
        state=State.SEALED,
        sealed_key=b"x",
        fingerprint="ab",
        replaces=old,
        overlap_seconds=600,
    )
    set_apart(aws, seconds)
    assert deliver(new.pk, "ab", actor=acting(engineer)).confirmation is Confirmation.DELIVERED
    old.refresh_from_db()
    expected = timezone.now() + timedelta(seconds=seconds + 600)
    assert old.revoke_at is not None
    assert abs(old.revoke_at - expected) < timedelta(seconds=5)


@pytest.mark.parametrize("is_off", [True, False])
def test_no_mail_is_given_up_by_a_clock_that_is_off(
    aws: SandboxProcess,
    make_token: Callable[..., Token],
    engineer: User,
    monkeypatch: pytest.MonkeyPatch,
    is_off: bool,
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OSError("the mail server is away")

    token = make_token(engineer, state=State.REVOKED)
    notice = Notice.objects.create(token=token, recipient=engineer, kind=NoticeKind.REVOKED)
    link = PasswordMail.objects.create(person=engineer)
    for one in (notice, link):
        type(one)._default_manager.update(created_at=ago(days=9))
    if is_off:
        set_apart(aws, -HOURS)
    monkeypatch.setattr("portal.notify.send", away)
    mail(notice.pk)
    mail_password(link.pk)
    notice.refresh_from_db()
    assert (notice.dropped_at is None) == is_off
    assert PasswordMail.objects.exists() == is_off
    assert outbox.outbox == []


@pytest.mark.parametrize("seconds", OFF)
def test_once_a_clock_that_was_ahead_is_right_nobody_waits_for_what_it_wrote(
    aws: SandboxProcess, make_token: Callable[..., Token], engineer: User, seconds: int
) -> None:
    queued = asked_for(make_token(engineer))
    held = make_token(engineer, state=State.ISSUING, attempt=1, lease_until=timezone.now())
    notice = Notice.objects.create(token=queued, recipient=engineer, kind=NoticeKind.REVOKED)
    is_ahead = seconds < 0
    set_apart(aws, seconds)
    written = timezone.now() + timedelta(seconds=max(0, -seconds) + 30)
    for rows in (Token.objects.filter(pk=queued.pk), Notice.objects.filter(pk=notice.pk)):
        rows.update(not_before=written, rung_at=written)
    Token.objects.filter(pk=held.pk).update(lease_until=written + timedelta(seconds=45))
    ServiceAccount.objects.update(list_asked_at=written)
    Heartbeat.objects.update_or_create(kind="worker", defaults={"at": written})
    set_apart(aws, 0)
    waiting = [Token.objects.get(pk=queued.pk).not_before, Notice.objects.get().rung_at]
    assert waiting == ([None, None] if is_ahead else [written, written])
    lease = Token.objects.get(pk=held.pk).lease_until
    assert lease is not None
    assert lease < timezone.now() + timedelta(seconds=80)
    if is_ahead:
        assert queued.pk in sweep().issue
        assert Heartbeat.objects.get(kind="worker").at <= timezone.now()
        assert not ServiceAccount.objects.exclude(list_asked_at=None).exists()


@pytest.mark.parametrize("ahead", [70, 250])
def test_what_an_attempt_left_is_its_own_once_a_clock_that_was_ahead_is_right(
    aws: SandboxProcess, make_token: Callable[..., Token], engineer: User, ahead: int
) -> None:
    set_apart(aws, -ahead)
    token = failed_attempt(make_token, engineer)
    make_at_aws(token)
    set_apart(aws, 0)
    assert settle(token.pk) == 1
    assert aws.steer("GET", "tokens?expired=1")["tokens"] == []


def test_a_signature_of_a_clock_that_was_behind_is_not_over_once_it_is_right(
    aws: SandboxProcess, make_token: Callable[..., Token], engineer: User
) -> None:
    set_apart(aws, 600)
    token = failed_attempt(make_token, engineer)
    set_apart(aws, 0)
    token.refresh_from_db()
    last = token.last_signature_at
    assert last is not None
    assert last > timezone.now() + timedelta(seconds=590), "ten minutes later than it was stamped"
    assert settle(token.pk) == 0
    token.refresh_from_db()
    assert token.unresolved_since is not None
    make_at_aws(token)
    Token.objects.update(not_before=None)
    assert settle(token.pk) == 1


def test_several_who_see_that_a_clock_is_right_correct_its_stamps_once(
    aws: SandboxProcess, make_token: Callable[..., Token], engineer: User
) -> None:
    set_apart(aws, -150)
    token = failed_attempt(make_token, engineer)
    row = Clock.objects.get(pk=Clock.DATABASE)
    for _ in range(2):
        clock._correct_attempts(row)
    before = token.unresolved_since
    token.refresh_from_db()
    assert before is not None
    assert token.unresolved_since == before - timedelta(seconds=row.ahead)


def test_a_look_that_is_cut_short_leaves_nothing_half_corrected(
    aws: SandboxProcess,
    make_token: Callable[..., Token],
    engineer: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(_: datetime) -> None:
        raise OperationalError("the database is away")

    set_apart(aws, -150)
    token = failed_attempt(make_token, engineer)
    before = token.unresolved_since
    with monkeypatch.context() as patched:
        patched.setattr(clock, "_let_nobody_wait_for_what_was_ahead", away)
        set_apart(aws, 0)
    token.refresh_from_db()
    assert token.unresolved_since == before
    set_apart(aws, 0)
    token.refresh_from_db()
    assert before is not None
    assert token.unresolved_since is not None
    assert token.unresolved_since < before - timedelta(seconds=140)


# -- What is said of it ---------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", OFF)
def test_the_log_names_a_clock_that_is_off_once(
    aws: SandboxProcess, caplog: pytest.LogCaptureFixture, seconds: int
) -> None:
    clock._incident.over()
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            set_apart(aws, seconds)
    [record] = [one for one in caplog.records if "clock.unavailable" in one.getMessage()]
    said = record.__dict__["reason"]
    assert ("ahead of" if seconds < 0 else "behind") in said
    assert "The database's clock" in said
    [first, *_] = clock.findings()
    assert first.startswith("The database's clock is ")
    set_apart(aws, 0)
    assert clock.findings() == []
    assert any("clock.available" in one.getMessage() for one in caplog.records)


def test_a_process_whose_own_clock_is_off_is_named_though_the_databases_is_right(
    aws: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the database is on another host."""
    wrong = types.SimpleNamespace(now=lambda: datetime.now(UTC) + timedelta(seconds=100))
    monkeypatch.setattr(clock, "timezone", wrong)
    set_apart(aws, 0)
    clock.note()
    assert clock.verdict().standing is Standing.AGREES
    [said] = clock.findings()
    assert said.startswith("The clock of host ")
    assert Clock.objects.exclude(off_since=None).get().whose != Clock.DATABASE
    # A web process elsewhere, whose own clock is right, hears of it from the rows.
    monkeypatch.setattr(clock, "timezone", timezone)
    monkeypatch.setattr(clock, "_host", lambda: "web-1")
    [said] = clock.findings()
    assert said.startswith("The clock of host ")
    Clock.objects.exclude(off_since=None).update(at=ago(hours=2))
    assert clock.findings() == [], "that host has not been heard of for long"


def test_a_web_process_that_never_hears_aws_knows_its_own_clock_by_the_databases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard.forget()
    assert clock.findings() == []
    wrong = types.SimpleNamespace(now=lambda: datetime.now(UTC) - timedelta(hours=3))
    monkeypatch.setattr(clock, "timezone", wrong)
    [said] = clock.findings()
    assert "behind" in said


def test_what_nobody_waits_for_is_written_rarely(
    aws: SandboxProcess, django_assert_num_queries: Any
) -> None:
    set_apart(aws, 0)
    clock.note()
    before = list(Clock.objects.values_list())
    with django_assert_num_queries(0):
        clock.note()
    clock._Noted.at = float("-inf")
    with django_assert_num_queries(3):
        clock.note()
    assert list(Clock.objects.values_list()) == before
    Clock.objects.update(at=ago(minutes=6))
    clock._Noted.at = float("-inf")
    clock.note()
    assert Clock.objects.filter(at__gt=ago(minutes=1)).count() == 2


def test_aws_is_asked_what_time_it_is_only_where_that_is_not_known_or_not_ours(
    aws: SandboxProcess,
) -> None:
    def asked() -> int:
        before = len(aws.calls())
        gateway.ask_the_time(Connection.objects.all())
        return len(aws.calls()) - before

    heard.forget()
    assert [asked(), asked()] == [1, 0]
    aws.settings(skew_seconds=-HOURS)
    heard.forget()
    assert [asked(), asked()] == [1, 1], "until it is ours again"


def test_a_second_connection_is_asked_where_the_first_does_not_answer(
    aws: SandboxProcess,
) -> None:
    Connection.objects.create(name="away", region="nowhere-1")
    heard.forget()
    aways_first = Connection.objects.order_by("name")
    gateway.ask_the_time(aways_first)
    assert heard.last() is not None


def test_a_refusal_of_aws_tells_the_time_too(aws: SandboxProcess) -> None:
    heard.forget()
    aws.settings(skew_seconds=-HOURS)
    with pytest.raises(GrafanaError):
        gateway.Gateway(Connection.objects.get()).list_workspaces()
    assert clock.verdict().standing is Standing.OFF
