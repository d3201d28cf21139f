"""Mails to leads: that a workspace is nearly full, and the digest on Mondays; each exactly once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.cache import cache
from django.utils import timezone

from portal.flows.mail_lead import mail_lead
from portal.flows.sweep import lead_mails_to_send
from portal.flows.watch_quota import watch_quota
from portal.flows.write_digests import week_of, write_digests
from portal.models import (
    Drift,
    LeadMail,
    LeadMailKind,
    ListedToken,
    State,
    Token,
    User,
    Workspace,
)
from portal.models.queries import TokenQuerySet
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db


@pytest.fixture
def catalog(rows: Catalog) -> Catalog:
    """No sandbox is asked here."""
    cache.clear()
    return rows


def watch() -> None:
    cache.clear()
    watch_quota()


def fill(catalog: Catalog, number: int) -> None:
    ListedToken.objects.all().delete()
    ListedToken.objects.bulk_create(
        ListedToken(
            service_account=catalog.deployer, aws_id=str(n), name=f"f-{n}", drift=Drift.FOREIGN
        )
        for n in range(number)
    )


def send_all() -> list[Any]:
    outbox.outbox.clear()
    for pk in lead_mails_to_send().lead_mail:
        mail_lead(pk)
    return list(outbox.outbox)


# -- Nearly full --------------------------------------------------------------------------------


def test_leads_are_mailed_once_that_a_workspace_is_nearly_full(
    catalog: Catalog, lead: User, outsider: User, settings: Any
) -> None:
    settings.TOKEN_QUOTA = 10
    fill(catalog, 7)
    watch()
    assert not LeadMail.objects.exists()
    fill(catalog, 8)
    for _ in range(3):
        watch()
    [sent] = send_all()
    assert sent.to == [lead.email]
    assert sent.subject == "Nearly full: workspace observability has 8 of 10 tokens"
    assert "8 tokens not issued here" in sent.body
    assert "/inventory/?workspace=g-00000000a1" in sent.body
    assert send_all() == []
    for number, mails in ((9, 0), (7, 0), (8, 0), (6, 0), (9, 1)):
        fill(catalog, number)
        watch()
        assert len(send_all()) == mails, "again only once it had emptied"


def test_what_has_become_untrue_is_not_mailed(catalog: Catalog, lead: User, settings: Any) -> None:
    settings.TOKEN_QUOTA = 10
    fill(catalog, 8)
    watch()
    fill(catalog, 5)
    cache.clear()
    assert send_all() == []
    assert LeadMail.objects.get().dropped_at is not None


def test_a_mail_server_that_is_away_costs_no_mail(
    catalog: Catalog, lead: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TOKEN_QUOTA = 10
    fill(catalog, 8)
    watch()
    with monkeypatch.context() as away:

        def refuse(*_: Any) -> None:
            raise OSError("no mail server")

        away.setattr("django.core.mail.EmailMessage.send", refuse)
        assert send_all() == []
    row = LeadMail.objects.get()
    assert (row.tries, row.sent_at, row.dropped_at) == (1, None, None)
    assert send_all() == [], "not at once"
    LeadMail.objects.update(not_before=None)
    assert len(send_all()) == 1


# -- The digest ---------------------------------------------------------------------------------

MONDAY = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    def at(moment: datetime) -> None:
        monkeypatch.setattr(TokenQuerySet, "database_now", lambda _: moment)
        monkeypatch.setattr(Token.objects, "database_now", lambda: moment, raising=False)

    return at


@pytest.mark.parametrize(
    ("at", "offset", "week"),
    [
        (datetime(2026, 11, 30, 6, 59, tzinfo=UTC), 0, ""),
        (datetime(2026, 11, 30, 7, 0, tzinfo=UTC), 0, "2026-W49"),
        (datetime(2026, 12, 1, 6, 59, tzinfo=UTC), 0, "2026-W49"),
        (datetime(2026, 12, 1, 7, 0, tzinfo=UTC), 0, ""),
        (datetime(2026, 11, 29, 17, 0, tzinfo=UTC), 14, "2026-W49"),
        (datetime(2026, 11, 30, 7, 0, tzinfo=UTC), -5, ""),
        (datetime(2026, 11, 30, 12, 0, tzinfo=UTC), -5, "2026-W49"),
        (datetime(2027, 1, 4, 8, 0, tzinfo=UTC), 0, "2027-W01"),
    ],
)
def test_its_hour_is_seven_on_monday_where_the_lead_is(
    at: datetime, offset: float, week: str
) -> None:
    assert week_of(at, offset) == week


def test_a_lead_has_one_digest_a_week_over_ninety_days(
    catalog: Catalog, lead: User, engineer: User, at: Callable[[datetime], None]
) -> None:
    User.objects.filter(pk=lead.pk).update(time_zone="Asia/Tokyo")
    for hours in range(0, 90 * 24, 5):
        at(MONDAY - timedelta(days=2) + timedelta(hours=hours))
        write_digests()
        write_digests()
    digests = LeadMail.objects.filter(kind=LeadMailKind.DIGEST)
    assert digests.count() == 13
    assert set(digests.values_list("recipient", flat=True)) == {lead.pk}


def test_a_zone_that_nobody_knows_is_utc(
    catalog: Catalog, lead: User, at: Callable[[datetime], None]
) -> None:
    User.objects.filter(pk=lead.pk).update(time_zone="Middle/Earth")
    at(MONDAY.replace(hour=6))
    write_digests()
    assert not LeadMail.objects.exists()
    at(MONDAY.replace(hour=8))
    write_digests()
    assert LeadMail.objects.count() == 1


def test_it_says_what_ends_what_is_unused_what_waits_and_who_left(
    catalog: Catalog,
    lead: User,
    engineer: User,
    teammate: User,
    make_token: Callable[..., Token],
    at: Callable[[datetime], None],
) -> None:
    now = timezone.now()
    week = {"expires_at": now + timedelta(days=3), "delivered_at": now - timedelta(days=2)}
    later = week | {"expires_at": now + timedelta(days=20)}
    active: dict[str, Any] = {"state": State.ACTIVE}
    make_token(engineer, name="ends", last_used_at=now, **active, **week)
    make_token(engineer, name="idle", **active, **later)
    make_token(engineer, name="fine", last_used_at=now, **active, **later)
    make_token(engineer, name="asks", state=State.AWAITING_APPROVAL)
    make_token(teammate, name="left-behind", last_used_at=now, **active, **later)
    teammate.memberships.all().delete()
    at(MONDAY)
    write_digests()
    [sent] = send_all()
    assert sent.to == [lead.email]
    assert sent.subject == "Your week: tokens of Platform"
    parts = sent.body.split("\n\n")
    said = {part.strip().partition("\n")[0]: part for part in parts}
    assert "ends of engineer@" in said["Ends within 7 days: 1"]
    assert "idle of engineer@" in said["No use seen for a month, or never: 1"]
    assert "asks of engineer@" in said["Waits for somebody: 1"]
    assert "teammate@example.com: 1" in sent.body
    assert "fine" not in sent.body
    assert "glsa_" not in sent.body


def test_where_there_is_nothing_to_say_nothing_is_mailed(
    catalog: Catalog, lead: User, at: Callable[[datetime], None]
) -> None:
    at(MONDAY)
    write_digests()
    assert send_all() == []
    assert LeadMail.objects.get().dropped_at is not None
    assert Workspace.objects.exists()
