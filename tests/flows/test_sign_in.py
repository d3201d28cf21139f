"""Failed sign-ins: the first is told at once, and guessing on fills nothing."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from pytest_django import Settings

from portal.flows.sign_in import COUNTED_FOR, sign_in_failed
from portal.models import AuditEvent, FailedSignIns, User
from portal.scheduler import run_all as sweep

pytestmark = pytest.mark.django_db


def fail(typed: str, times: int = 1, address: str | None = "192.0.2.7") -> None:
    for _ in range(times):
        sign_in_failed(typed, address=address, user_agent="a browser")


def told() -> list[tuple[Any, ...]]:
    return list(AuditEvent.objects.order_by("seq").values_list("actor", "address", "count"))


def pass_time(span: timedelta = COUNTED_FOR) -> None:
    FailedSignIns.objects.update(since=F("since") - span)


def test_the_first_is_told_at_once_and_those_after_it_as_one_with_their_number(
    engineer: User,
) -> None:
    fail(engineer.email, times=30)
    assert told() == [(engineer.email, "192.0.2.7", None)]
    sweep()
    assert len(told()) == 1, "their five minutes are not over"
    pass_time()
    sweep()
    sweep()
    assert told()[1:] == [(engineer.email, "192.0.2.7", 29)]
    event = AuditEvent.objects.latest("seq")
    assert (event.action, event.outcome, event.actor_id) == ("signin.failed", "failed", engineer.pk)


def test_one_alone_is_told_once_and_the_next_after_the_pause_at_once_again(engineer: User) -> None:
    fail(engineer.email)
    pass_time()
    sweep()
    assert len(told()) == 1
    fail(engineer.email)
    assert told() == [(engineer.email, "192.0.2.7", None)] * 2


def test_each_person_and_each_address_is_counted_for_itself(engineer: User, lead: User) -> None:
    fail(engineer.email, times=2)
    fail(engineer.email.upper(), times=2, address="2001:db8::7")
    fail(lead.email, times=2)
    fail("hunter2", times=2)
    fail("hunter3", times=2, address=None)
    assert told() == [
        (engineer.email, "192.0.2.7", None),
        (engineer.email, "2001:db8::7", None),
        (lead.email, "192.0.2.7", None),
        ("unknown", "192.0.2.7", None),
        ("unknown", None, None),
    ]
    pass_time()
    sweep()
    assert sorted(told()[5:], key=str) == sorted(
        ((who, address, 1) for who, address, _ in told()[:5]), key=str
    )


def test_what_names_nobody_is_kept_nowhere(db: None) -> None:
    fail("hunter2", times=3)
    assert "hunter2" not in repr([*AuditEvent.objects.values(), *FailedSignIns.objects.values()])


def test_without_addresses_none_is_kept_here_either(engineer: User, settings: Settings) -> None:
    settings.AUDIT_ADDRESSES = False
    fail(engineer.email, times=2)
    fail(engineer.email, times=2, address="2001:db8::7")
    pass_time()
    assert FailedSignIns.objects.get().address == ""
    sweep()
    assert told() == [(engineer.email, None, None), (engineer.email, None, 3)]
