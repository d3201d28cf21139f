"""The provider makes people, finds them and changes them; all people are its Users."""

from typing import Any

import pytest
from django.db import connection

from portal.audit import SYSTEM
from portal.flows.provision import remove
from portal.models import AccountMail, AuditEvent, ProvisionedPerson, Team, User
from tests.views.scim.conftest import USERS, Provider

pytestmark = pytest.mark.django_db

ENTRA = {
    "schemas": [
        "urn:ietf:params:scim:schemas:core:2.0:User",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    ],
    "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
    "userName": "New.Comer@Example.com",
    "active": True,
    "displayName": "New Comer",
    "emails": [{"primary": True, "type": "work", "value": "other@example.com"}],
    "meta": {"resourceType": "User"},
    "name": {"formatted": "New Comer", "familyName": "Comer", "givenName": "New"},
    "title": "Engineer",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "Tools"},
}


def test_a_person_is_made_who_may_do_nothing_yet(provider: Provider) -> None:
    key = provider.create(USERS, **ENTRA)
    person = User.objects.get(email="new.comer@example.com")
    assert (person.name, person.is_active, person.is_named) == ("New Comer", True, False)
    assert not person.has_usable_password()
    assert not person.is_admin
    assert not person.teams.exists()
    told = provider.get(f"{USERS}/{key}")
    assert told.pop("meta").keys() == {"resourceType", "created", "lastModified", "location"}
    assert told == {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": str(person.pk),
        "externalId": ENTRA["externalId"],
        "userName": "new.comer@example.com",
        "active": True,
        "displayName": "New Comer",
        "name": {"familyName": "Comer", "givenName": "New"},
        "emails": [{"value": "new.comer@example.com", "type": "work", "primary": True}],
    }
    event = AuditEvent.objects.get()
    assert (event.actor, event.actor_id, event.subject, event.reason) == (
        "provisioning",
        None,
        "+ person new.comer@example.com",
        "provisioning",
    )


def test_people_of_every_door_are_there(provider: Provider, engineer: User, admin: User) -> None:
    listed = provider.get(USERS)
    assert listed["totalResults"] == 2
    assert [one["userName"] for one in listed["Resources"]] == [engineer.email, admin.email]


@pytest.mark.parametrize(
    "typed", ["engineer@example.com", "ENGINEER@EXAMPLE.COM", "Engineer@Example.com"]
)
@pytest.mark.parametrize("attribute", ["userName", "USERNAME", "emails.value"])
@pytest.mark.parametrize("eq", ["eq", "Eq", "EQ"])
def test_a_person_is_found_in_whatever_case(
    provider: Provider, engineer: User, lead: User, attribute: str, eq: str, typed: str
) -> None:
    [found] = provider.found(f'{attribute} {eq} "{typed}"')
    assert found["id"] == str(engineer.pk)


FILTERS = {
    'externalId eq "one"': ["one"],
    'externalId eq "ONE"': [],
    "externalId pr": ["one", "two"],
    "not (externalId pr)": ["old"],
    'externalId ne "one"': ["old", "two"],
    "externalId eq null": ["old"],
    'displayName eq "fIRST"': ["one"],
    'displayName co "IRS"': ["one"],
    'name.familyName sw "O"': ["one"],
    'name.familyName ew "e"': ["one"],
    "active eq true": ["old", "one"],
    "active eq false": ["two"],
    'active eq "False"': ["two"],
    'userName sw "o" and active eq true': ["old", "one"],
    'userName eq "one@example.com" or userName eq "TWO@example.com"': ["one", "two"],
    'emails[type eq "work" and value eq "One@example.com"]': ["one"],
    'emails[type eq "work"].value eq "one@example.com"': ["one"],
    'emails[type eq "home"]': [],
    'meta.created gt "2020-01-01T00:00:00Z"': ["old", "one", "two"],
    'meta.lastModified lt "2020-01-01T00:00:00Z"': [],
    'userName co "%"': [],
    'displayName eq "first\' OR 1=1 --"': [],
    'userName eq "nobody@example.com"': [],
    'userName eq ""': [],
    'id eq "99999999999999999999"': [],
    'groups eq "x"': [],
}


@pytest.mark.parametrize("text", FILTERS)
def test_a_filter_finds_whom_it_means(provider: Provider, text: str) -> None:
    User.objects.create_user("old@example.com")
    name = {"familyName": "One", "givenName": "First"}
    provider.create(
        USERS, userName="one@example.com", externalId="one", displayName="First", name=name
    )
    provider.create(USERS, userName="two@example.com", externalId="two", active="False")
    found = [one["userName"].split("@")[0] for one in provider.found(text)]
    assert found == FILTERS[text]


def test_pages_lie_one_behind_the_other(provider: Provider) -> None:
    for number in range(5):
        User.objects.create_user(f"{number}@example.com")
    page = provider.get(f"{USERS}?startIndex=4&count=3")
    assert (page["totalResults"], page["itemsPerPage"], page["startIndex"]) == (5, 2, 4)
    assert [one["userName"] for one in page["Resources"]] == ["3@example.com", "4@example.com"]
    assert provider.get(f"{USERS}?count=0")["totalResults"] == 5
    assert provider.get(f"{USERS}?startIndex=99999999999999999999")["Resources"] == []
    both = provider.get("/scim/v2/?startIndex=5&count=9")
    assert (both["totalResults"], len(both["Resources"])) == (5, 1)


def test_who_is_here_is_not_made_again(provider: Provider, engineer: User) -> None:
    status, body = provider.send("POST", USERS, {"userName": "ENGINEER@example.com"})
    assert (status, body["scimType"]) == (409, "uniqueness")


def test_who_was_deleted_comes_back_as_the_same_person(
    provider: Provider, engineer: User, platform: Team
) -> None:
    provider.send("DELETE", f"{USERS}/{engineer.pk}")
    key = provider.create(USERS, userName="engineer@example.com", active=True)
    engineer.refresh_from_db()
    assert (key, engineer.is_active) == (str(engineer.pk), True)
    assert engineer.teams.get() == platform, "the access file still names them"


def test_whom_an_admin_had_closed_stays_closed_when_made_again(
    provider: Provider, engineer: User
) -> None:
    User.objects.filter(pk=engineer.pk).update(is_active=False)
    provider.send("DELETE", f"{USERS}/{engineer.pk}")
    provider.create(USERS, userName="engineer@example.com", active=True)
    engineer.refresh_from_db()
    assert not engineer.is_active


def test_an_address_changes_and_the_log_tells(provider: Provider, engineer: User) -> None:
    change = {"op": "Replace", "path": "userName", "value": "New.Name@example.com"}
    provider.patch(f"{USERS}/{engineer.pk}", change)
    engineer.refresh_from_db()
    assert engineer.email == "new.name@example.com"
    assert AuditEvent.objects.get().subject == (
        "~ person engineer@example.com: now new.name@example.com"
    )


def test_nobody_takes_another_s_address(provider: Provider, engineer: User, lead: User) -> None:
    said = {"userName": "LEAD@example.com", "active": True}
    assert provider.send("PUT", f"{USERS}/{engineer.pk}", said)[0] == 409
    engineer.refresh_from_db()
    assert engineer.email == "engineer@example.com"


def test_what_is_said_of_active_alone_changes_nothing_else(
    provider: Provider, engineer: User
) -> None:
    User.objects.filter(pk=engineer.pk).update(name="Engi Neer")
    provider.patch(f"{USERS}/{engineer.pk}", {"op": "replace", "value": {"active": False}})
    engineer.refresh_from_db()
    assert (engineer.name, engineer.email) == ("Engi Neer", "engineer@example.com")
    assert provider.get(f"{USERS}/{engineer.pk}")["displayName"] == "Engi Neer"


def test_the_same_again_writes_nothing(provider: Provider) -> None:
    key = provider.create(USERS, **ENTRA)
    before = ProvisionedPerson.objects.get().changed_at
    provider.patch(f"{USERS}/{key}", {"op": "Add", "path": "active", "value": "True"})
    assert provider.send("PUT", f"{USERS}/{key}", ENTRA)[0] == 200
    assert ProvisionedPerson.objects.get().changed_at == before
    assert AuditEvent.objects.count() == 1


def test_names_are_made_to_fit(provider: Provider) -> None:
    """A refusal would keep what else is said of them from being heard."""
    key = provider.create(
        USERS,
        userName="long@example.com",
        displayName="\u202eLong\0 " + "n" * 300,
        externalId="e" * 300,
        name={"givenName": "g" * 300},
    )
    told = provider.get(f"{USERS}/{key}")
    assert told["displayName"] == "Long " + "n" * 145
    assert (len(told["externalId"]), len(told["name"]["givenName"])) == (255, 150)


def test_a_changed_address_is_told_at_both(
    provider: Provider, engineer: User, enqueued: list[tuple[str, int]]
) -> None:
    provider.send("PUT", f"{USERS}/{engineer.pk}", {"userName": "new@example.com"})
    mails = AccountMail.objects.order_by("pk")
    assert list(mails.values_list("email", "what", "by")) == [
        ("engineer@example.com", "new@example.com", "provisioning"),
        ("new@example.com", "new@example.com", "provisioning"),
    ]
    assert enqueued == [("portal.account_mail", mail.pk) for mail in mails]


@pytest.mark.parametrize(
    ("user_name", "is_active", "told"),
    [("e1234", True, ["engineer@example.com"]), ("new@example.com", False, [])],
)
def test_no_mail_goes_to_what_is_no_address_nor_to_who_has_left(
    provider: Provider, engineer: User, user_name: str, is_active: bool, told: list[str]
) -> None:
    said = {"userName": user_name, "active": is_active}
    assert provider.send("PUT", f"{USERS}/{engineer.pk}", said)[0] == 200
    assert list(AccountMail.objects.values_list("email", flat=True)) == told


def test_who_is_deleted_while_they_are_changed_is_not_found(
    provider: Provider, engineer: User
) -> None:
    """By another request, between the reading of a person and the locking of their row."""
    removed: list[int] = []

    def remove_them(execute: Any, sql: str, *more: Any) -> Any:
        if sql.startswith("SAVEPOINT") and not removed:
            removed.append(engineer.pk)
            remove(engineer.pk, actor=SYSTEM)
        return execute(sql, *more)

    with connection.execute_wrapper(remove_them):
        said = {"userName": "new@example.com", "active": True}
        status, _ = provider.send("PUT", f"{USERS}/{engineer.pk}", said)
    assert (status, removed) == (404, [engineer.pk])
    engineer.refresh_from_db()
    assert (engineer.email, engineer.is_active) == ("engineer@example.com", False)
