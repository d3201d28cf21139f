"""One rule for e-mail addresses: whom the access file admits can sign in, and nobody else."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail as outbox
from django.core.cache import cache
from django.test import Client

from portal import access
from portal.audit import SYSTEM
from portal.flows.apply_access import apply_access
from portal.models import AuditEvent, Membership, PasswordMail, Team, User
from portal.tasks import send_password_mail

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery staple"
TEAM = "version: 1\nteams: {{platform: {{members: [{}]}}}}"


@pytest.fixture(autouse=True)
def _fresh_counts() -> None:
    cache.clear()


def admit(*addresses: str) -> None:
    file = access.parse(TEAM.format(", ".join(addresses)))
    apply_access(file, actor=SYSTEM, leave_no_admin=True)


def sign_in(address: str) -> bool:
    client = Client()
    client.post("/accounts/login/", {"login": address, "password": PASSWORD})
    return client.get("/tokens/").status_code == 200


def person(address: str) -> User:
    user = User.objects.get(email=address)
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Engineer@Example.com", "engineer@EXAMPLE.com"),
        ("admin@intranet", "admin@intranet"),
        ("o'brien@example.com", "O'Brien@example.com"),
        ("anna@Bücher.example", "anna@bücher.example"),
        ("anna@bücher.example", "Anna@xn--bcher-kva.example"),
        ("anna@xn--strae-oqa.example", "anna@straße.example"),
    ],
)
def test_who_is_admitted_signs_in_and_is_mailed_at_the_address_that_was_checked(
    db: None, written: str, typed: str
) -> None:
    admit(written)
    found = person(User.objects.get().email)
    assert found.email.isascii()
    assert sign_in(typed)
    Client().post("/accounts/password/reset/", {"email": typed})
    send_password_mail(PasswordMail.objects.get().pk)
    [sent] = outbox.outbox
    assert sent.to == [found.email]
    assert "/accounts/password/reset/key/" in sent.body


@pytest.mark.parametrize(
    "typed",
    ["rené@example.com", "straße@example.com", "lead@example.com,", "nobody", "\u212a@x.de"],
)
def test_what_the_access_file_refuses_sign_in_and_reset_refuse_as_well(
    db: None, typed: str
) -> None:
    with pytest.raises(access.AccessFileError, match="must be an e-mail address"):
        admit(f'"{typed}"')
    for path, field in (("/accounts/login/", "login"), ("/accounts/password/reset/", "email")):
        answer: Any = Client().post(path, {field: typed, "password": PASSWORD})
        assert answer.status_code == 200
        assert "This must be an e-mail address" in answer.content.decode()
    assert outbox.outbox == []
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("typed", ["\u017fam@example.com", "\u212aate@example.com"])
def test_an_address_that_only_folds_to_somebodys_is_not_theirs(db: None, typed: str) -> None:
    """PostgreSQL takes U+017F for S and U+212A for K when it ignores case (CVE-2019-19844)."""
    admit("sam@example.com", "kate@example.com")
    for found in User.objects.all():
        person(found.email)
    assert not sign_in(typed)
    Client().post("/accounts/password/reset/", {"email": typed})
    assert not PasswordMail.objects.exists()


def test_a_person_of_before_keeps_account_team_and_password(platform: Team) -> None:
    """Their domain stands in the database as it was written then."""
    old = User.objects.create(email="anna@bücher.example")
    person(old.email)
    Membership.objects.create(team=platform, user=old)
    admit("anna@bücher.example")
    admit("anna@xn--bcher-kva.example")
    assert [user.pk for user in User.objects.all()] == [old.pk]
    assert list(platform.members.all()) == [old]
    assert sign_in("Anna@Bücher.example")
    assert sign_in("anna@xn--bcher-kva.example")


def test_a_wrong_password_is_recorded_under_the_persons_name_however_they_spell_it(
    db: None,
) -> None:
    admit("anna@bücher.example")
    Client().post("/accounts/login/", {"login": "Anna@BÜCHER.example", "password": "wrong"})
    assert AuditEvent.objects.latest("seq").actor == "anna@xn--bcher-kva.example"


def test_a_lead_finds_a_person_by_either_spelling(
    platform: Team, lead: User, sign_in: Callable[[User], Client]
) -> None:
    Membership.objects.create(
        team=platform, user=User.objects.create(email="anna@xn--bcher-kva.example")
    )
    for typed in ("anna@bücher.example", "ANNA@xn--bcher-kva.example"):
        fields = {"person": typed, "preview": "1"}
        answer = sign_in(lead).post("/team/platform/revoke/", fields)
        assert answer.status_code == 422, "found, and there is nothing to end"
    answer = sign_in(lead).post("/team/platform/revoke/", {"person": "x" * 100_000})
    assert answer.status_code == 404
