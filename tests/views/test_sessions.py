"""Sessions end for good when somebody may not sign in any more or loses rights."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from portal.flows.end_sessions import end_sessions
from portal.models import AuditEvent, Grant, Membership, Role, Team, User
from portal.scheduler import run_all as sweep
from tests.conftest import acting

pytestmark = pytest.mark.django_db

SignIn = Callable[[User], Client]


def is_in(client: Client) -> bool:
    return client.get("/tokens/").status_code == 200


def told() -> list[tuple[Any, ...]]:
    events = AuditEvent.objects.filter(action="session.ended").order_by("seq")
    return list(events.values_list("actor", "subject", "count", "outcome"))


def close(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=False)


def reopen(person: User) -> None:
    User.objects.filter(pk=person.pk).update(is_active=True)


def test_the_session_of_a_closed_account_does_not_live_again(
    engineer: User, sign_in: SignIn
) -> None:
    client = sign_in(engineer)
    assert is_in(client)
    close(engineer)
    sweep()
    reopen(engineer)
    sweep()
    assert not is_in(client)
    engineer.refresh_from_db()
    assert is_in(sign_in(engineer)), "signing in anew is all it takes"


def test_a_copy_of_its_row_does_not_bring_it_back(engineer: User, sign_in: SignIn) -> None:
    """A restored backup, or a sign-in at the same moment: the epoch has the last word."""
    client = sign_in(engineer)
    [row] = Session.objects.all()
    close(engineer)
    sweep()
    assert not Session.objects.exists()
    row.save(force_insert=True)
    reopen(engineer)
    assert not is_in(client)


def test_it_is_told_once_with_the_number_of_sessions(
    engineer: User, admin: User, sign_in: SignIn
) -> None:
    for _ in range(3):
        sign_in(engineer)
    others = sign_in(admin)
    close(engineer)
    end_sessions(actor=acting(admin))
    sweep()
    subject = "engineer@example.com: may not sign in any more"
    assert told() == [(admin.email, subject, 3, "succeeded")]
    assert is_in(others)


def test_nothing_is_told_of_somebody_who_had_no_session(engineer: User, sign_in: SignIn) -> None:
    sign_in(engineer)
    Session.objects.update(expire_date=timezone.now())
    close(engineer)
    sweep()
    assert told() == []


@pytest.mark.parametrize("right", ["admin", "auditor"])
def test_losing_the_rights_of_an_admin_or_auditor_ends_sessions(
    right: str, engineer: User, sign_in: SignIn
) -> None:
    User.objects.filter(pk=engineer.pk).update(**{f"is_{right}": True})
    client = sign_in(engineer)
    sweep()
    assert is_in(client)
    User.objects.filter(pk=engineer.pk).update(**{f"is_{right}": False})
    sweep()
    assert not is_in(client)
    assert told() == [("portal", f"engineer@example.com: no longer {right}", 1, "succeeded")]


def demote(lead: User, team: Team) -> None:
    lead.memberships.update(role=Role.MEMBER)


def remove(lead: User, team: Team) -> None:
    lead.memberships.all().delete()


def close_team(lead: User, team: Team) -> None:
    Team.objects.filter(pk=team.pk).update(closed_at=Now())


@pytest.mark.parametrize("lose", [demote, remove, close_team])
def test_losing_the_rights_of_a_lead_ends_sessions(
    lose: Callable[[User, Team], None], lead: User, platform: Team, sign_in: SignIn
) -> None:
    client = sign_in(lead)
    sweep()
    lose(lead, platform)
    sweep()
    assert not is_in(client)
    subject = "lead@example.com: no longer lead of platform"
    assert told() == [("portal", subject, 1, "succeeded")]


def test_a_lead_of_two_teams_who_loses_one_has_lost_something(
    lead: User, mobile: Team, sign_in: SignIn
) -> None:
    second = Membership.objects.create(user=lead, team=mobile, role=Role.LEAD)
    client = sign_in(lead)
    sweep()
    second.delete()
    sweep()
    assert not is_in(client)


def test_gaining_rights_or_losing_a_grant_or_a_membership_ends_nothing(
    engineer: User, lead: User, platform: Team, mobile: Team, sign_in: SignIn
) -> None:
    Grant.objects.filter(team=platform).delete()
    clients = [sign_in(engineer), sign_in(lead)]
    sweep()
    User.objects.filter(pk=engineer.pk).update(is_admin=True)
    Membership.objects.create(user=lead, team=mobile, role=Role.LEAD)
    engineer.memberships.all().delete()
    sweep()
    assert [is_in(client) for client in clients] == [True, True]
    assert told() == []


def test_who_is_demoted_and_closed_at_once_is_told_of_once(admin: User, sign_in: SignIn) -> None:
    sign_in(admin)
    sweep()
    User.objects.filter(pk=admin.pk).update(is_admin=False, is_active=False)
    sweep()
    assert [row[1] for row in told()] == ["admin@example.com: may not sign in any more"]


def test_what_a_stale_row_writes_back_is_put_right(engineer: User, sign_in: SignIn) -> None:
    """Whoever has read a person before, and saves it whole, knows the epoch of then."""
    stale = User.objects.get(pk=engineer.pk)
    client = sign_in(engineer)
    close(engineer)
    sweep()
    stale.is_active = False
    stale.save()
    sweep()
    reopen(engineer)
    assert not is_in(client)


def test_sessions_from_before_the_upgrade_go_on(engineer: User, sign_in: SignIn) -> None:
    """In the first epoch a session holds what Django writes by itself."""
    client = sign_in(engineer)
    held = client.session["_auth_user_hash"]
    assert held == engineer._get_session_auth_hash()  # type: ignore[attr-defined]
    sweep()
    engineer.refresh_from_db()
    assert engineer.session_epoch == 0
    assert is_in(client)


def test_the_access_file_ends_sessions_in_the_same_command(
    lead: User, platform: Team, sign_in: SignIn, tmp_path: Any
) -> None:
    client = sign_in(lead)
    sweep()
    file = tmp_path / "access.yml"
    file.write_text("version: 1\nteams: {platform: {members: [lead@example.com]}}\n")
    call_command("apply_access", str(file), leave_no_admin=True, verbosity=0)
    assert not is_in(client)
    assert [row[1] for row in told()] == ["lead@example.com: no longer lead of platform"]


def test_the_admins_page_ends_sessions_at_once(
    admin: User,
    engineer: User,
    sign_in: SignIn,
    django_capture_on_commit_callbacks: Any,
    enqueued: list[Any],
) -> None:
    client = sign_in(engineer)
    page = f"/admin/portal/user/{engineer.pk}/change/"
    with django_capture_on_commit_callbacks(execute=True):
        assert sign_in(admin).post(page, {"name": ""}).status_code == 302
    with django_capture_on_commit_callbacks(execute=True):
        assert sign_in(admin).post(page, {"name": "", "is_active": "on"}).status_code == 302
    assert not is_in(client)
    subject = "engineer@example.com: may not sign in any more"
    assert told() == [(admin.email, subject, 1, "succeeded")]
