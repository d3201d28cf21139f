"""Passkeys: added, in place of a code, in place of a password, and what is not taken for one."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from portal.models import AuditEvent, User
from tests.views.authenticator import SoftKey
from tests.views.factors import (
    ADD_PASSKEY,
    AUTHENTICATE,
    CODES,
    INDEX,
    LOGIN,
    add_app,
    is_in,
    shown_codes,
    sign_in,
    told,
    with_password,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("enqueued")]

BY_PASSKEY = "/accounts/2fa/webauthn/login/"
OPTIONS = re.compile(r'<script id="passkey-options" type="application/json">(.*?)</script>')


@pytest.fixture
def person(engineer: User) -> User:
    return with_password(engineer)


def options_on(client: Client, path: str) -> dict[str, Any]:
    found = OPTIONS.search(client.get(path).content.decode())
    assert found
    options: dict[str, Any] = json.loads(found[1])
    return options


def post(client: Client, path: str, credential: object, **fields: str) -> Any:
    return client.post(path, {"credential": json.dumps(credential), **fields})


def add(client: Client, key: SoftKey, name: str = "my laptop") -> None:
    answer = post(client, ADD_PASSKEY, key.create(options_on(client, ADD_PASSKEY)), name=name)
    assert answer.status_code == 302, answer.content.decode()


def ask_to_sign_in(client: Client) -> dict[str, Any]:
    answer = client.get(BY_PASSKEY, headers={"accept": "application/json"})
    asked: dict[str, Any] = answer.json()["request_options"]
    return asked


def by_passkey(client: Client, key: SoftKey, **fields: str) -> Any:
    return post(client, BY_PASSKEY, key.get(ask_to_sign_in(client)), **fields)


@pytest.fixture
def key(person: User) -> SoftKey:
    """A passkey that the person has."""
    key = SoftKey()
    add(sign_in(person)[0], key)
    return key


# -- Adding one ---------------------------------------------------------------------------------


def test_a_passkey_is_added_with_recovery_codes_an_event_and_a_mail(person: User) -> None:
    client, _ = sign_in(person)
    add(client, SoftKey())
    assert len(shown_codes(client)) == 10
    client.post(CODES)
    assert "my laptop" in client.get(INDEX).content.decode()
    assert told("signin.factor_changed") == [(person.email, "passkey added: my laptop", None)]


def test_one_without_a_name_is_given_one(person: User) -> None:
    client, _ = sign_in(person)
    add(client, SoftKey(), name="")
    assert "passkey 1" in client.get(INDEX).content.decode()


def test_options_ask_for_a_passkey_that_verifies_and_names_itself(person: User) -> None:
    asked = options_on(sign_in(person)[0], ADD_PASSKEY)["publicKey"]
    wanted = asked["authenticatorSelection"]
    assert (wanted["residentKey"], wanted["userVerification"]) == ("required", "required")
    assert asked["rp"] == {"id": "localhost", "name": "Token portal"}


@pytest.mark.parametrize(
    "name", ["x" * 61, "\u202e", "glsa_" + "k" * 32 + "_00000000", "\u200b\u200b"]
)
def test_a_name_that_nobody_could_read_is_a_mistake_beside_its_field(
    name: str, person: User
) -> None:
    client, _ = sign_in(person)
    credential = SoftKey().create(options_on(client, ADD_PASSKEY))
    assert post(client, ADD_PASSKEY, credential, name=name).status_code == 422
    assert not Authenticator.objects.exists()


def test_a_passkey_is_renamed(person: User, key: SoftKey) -> None:
    client, _ = sign_in(person)
    row = Authenticator.objects.get(type="webauthn")
    post(client, AUTHENTICATE, key.get(options_on(client, AUTHENTICATE)))
    path = f"/accounts/2fa/webauthn/keys/{row.pk}/edit/"
    assert client.post(path, {"name": ""}).status_code == 422
    assert client.post(path, {"name": "the old one"}).headers["Location"] == INDEX
    assert "the old one" in client.get(INDEX).content.decode()


def test_another_person_s_passkey_can_neither_be_renamed_nor_removed(
    person: User, key: SoftKey, lead: User
) -> None:
    row = Authenticator.objects.get(type="webauthn")
    client, _ = sign_in(with_password(lead))
    for action in ("edit", "remove"):
        path = f"/accounts/2fa/webauthn/keys/{row.pk}/{action}/"
        assert client.get(path).status_code == 404
        assert client.post(path, {"name": "mine"}).status_code == 404
    assert Authenticator.objects.get(type="webauthn").data == row.data


def test_a_passkey_is_removed(person: User, key: SoftKey) -> None:
    client, _ = sign_in(person)
    post(client, AUTHENTICATE, key.get(options_on(client, AUTHENTICATE)))
    row = Authenticator.objects.get(type="webauthn")
    path = f"/accounts/2fa/webauthn/keys/{row.pk}/remove/"
    assert "the passkey “my laptop”" in client.get(path).content.decode()
    assert client.post(path).headers["Location"] == INDEX
    assert not Authenticator.objects.exists()


# -- In place of a code, and of a password ------------------------------------------------------


def test_a_passkey_stands_in_for_a_code(person: User, key: SoftKey) -> None:
    client, answer = sign_in(person)
    assert answer.headers["Location"] == AUTHENTICATE
    answer = post(client, AUTHENTICATE, key.get(options_on(client, AUTHENTICATE)))
    assert answer.headers["Location"] == "/tokens/"
    assert is_in(client)


def test_and_for_the_password_too(person: User, key: SoftKey) -> None:
    client = Client()
    answer = by_passkey(client, key, next="/tokens/new/")
    assert answer.headers["Location"] == "/tokens/new/"
    assert is_in(client)
    assert told("signin.succeeded")[-1] == (person.email, "passkey", None)


def test_who_has_an_app_beside_it_is_not_asked_for_a_code(person: User, key: SoftKey) -> None:
    client = Client()
    by_passkey(client, key)
    add_app(client)
    other = Client()
    by_passkey(other, key)
    assert is_in(other)


def test_somebody_who_must_have_a_factor_has_one_who_comes_by_passkey(
    person: User, key: SoftKey, settings: Any
) -> None:
    settings.SIGN_IN = settings.SIGN_IN._replace(second_factor="everyone")
    client = Client()
    by_passkey(client, key)
    assert is_in(client)


def test_a_passkey_confirms_who_one_is(
    person: User, key: SoftKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client()
    by_passkey(client, key)
    now = time.time
    monkeypatch.setattr("time.time", lambda: now() + 301)
    answer = client.get(ADD_PASSKEY, follow=True)
    path = "/accounts/2fa/webauthn/reauthenticate/"
    assert path in answer.content.decode()
    asked = options_on(client, path)
    assert post(client, path, SoftKey().get(asked), next=INDEX).headers["Location"] == path
    assert client.get(ADD_PASSKEY).status_code == 302
    answer = post(client, path, key.get(options_on(client, path)), next=ADD_PASSKEY)
    assert answer.headers["Location"] == ADD_PASSKEY
    assert client.get(ADD_PASSKEY).status_code == 200


def test_a_closed_person_s_passkey_lets_nobody_in(person: User, key: SoftKey) -> None:
    User.objects.update(is_active=False)
    client = Client()
    by_passkey(client, key)
    assert not is_in(client)


# -- What is none -------------------------------------------------------------------------------

Spoil = Callable[[SoftKey, dict[str, Any]], Any]


def _with(**fields: Any) -> Spoil:
    def spoil(key: SoftKey, asked: dict[str, Any]) -> Any:
        spoilt = SoftKey(**{**key.__dict__, **fields})
        return spoilt.get(asked) if key.handle else spoilt.create(asked)

    return spoil


def _of_another_challenge(key: SoftKey, asked: dict[str, Any]) -> Any:
    other = {"publicKey": {**asked["publicKey"], "challenge": "A" * 43}}
    return key.get(other) if key.handle else key.create(other)


def _changed(*path: str, to: object) -> Spoil:
    def spoil(key: SoftKey, asked: dict[str, Any]) -> Any:
        answer = key.get(asked) if key.handle else key.create(asked)
        part = answer
        for name in path[:-1]:
            part = part[name]
        if part.pop(path[-1], None) is None or to is not None:
            part[path[-1]] = to
        return answer

    return spoil


WRONG: dict[str, Spoil] = {
    "another site": _with(host="evil.example", origin="https://evil.example"),
    "another origin": _with(origin="http://localhost.evil.example"),
    "no https": _with(origin="http://tokens.example.com"),
    "not verified": _with(verifies=False),
    "another challenge": _of_another_challenge,
    "no response": _changed("response", to=None),
    "a text as response": _changed("response", to="x"),
    "no client data": _changed("response", "clientDataJSON", to=None),
    "client data that is no JSON": _changed("response", "clientDataJSON", to="AAAA"),
    "client data that is a list": _changed("response", "clientDataJSON", to="W10"),
    "client data that is no base64": _changed("response", "clientDataJSON", to="*"),
    "client data that is a number": _changed("response", "clientDataJSON", to=7),
    "an id that is none": _changed("rawId", to="AA"),
    "an id that is a number": _changed("rawId", to=1),
    "no id": _changed("rawId", to=None),
    "a list": lambda *_: [],
    "a text": lambda *_: "x",
    "null": lambda *_: None,
    "a number": lambda *_: 10**30,
    "nothing in it": lambda *_: {},
    "much": lambda *_: {"x": "y" * 30_000},
}
WRONG_PROOF = WRONG | {
    "another key": _with(key=SoftKey().key),
    "a signature that is none": _changed("response", "signature", to="AA"),
    "no signature": _changed("response", "signature", to=None),
    "short data": _changed("response", "authenticatorData", to="AA"),
    "no data": _changed("response", "authenticatorData", to=None),
}
WRONG_PERSON = {
    "nobody": _changed("response", "userHandle", to="ZmZm"),
    "no person": _changed("response", "userHandle", to=None),
    "a person that is no number": _changed("response", "userHandle", to="_w"),
    "a person that is too great": _changed("response", "userHandle", to="eno" * 80),
    "a person that is a list": _changed("response", "userHandle", to=[1]),
}
WRONG_NEW = WRONG | {
    "no attestation": _changed("response", "attestationObject", to=None),
    "an attestation that is none": _changed("response", "attestationObject", to="AA"),
    "an attestation of nothing": _changed("response", "attestationObject", to="oA"),
    "results that are a text": _changed("clientExtensionResults", to="x"),
}


@pytest.mark.parametrize("wrong", [*WRONG_PROOF, *WRONG_PERSON])
def test_nobody_signs_in_by_what_is_no_proof(wrong: str, person: User, key: SoftKey) -> None:
    client = Client()
    spoil = (WRONG_PROOF | WRONG_PERSON)[wrong]
    answer = post(client, BY_PASSKEY, spoil(key, ask_to_sign_in(client)))
    assert (answer.status_code, answer.headers["Location"]) == (302, LOGIN)
    assert not is_in(client)
    assert "could not be taken" in client.get(LOGIN).content.decode()


@pytest.mark.parametrize("wrong", WRONG_PROOF)
def test_nor_past_the_second_factor(wrong: str, person: User, key: SoftKey) -> None:
    client, _ = sign_in(person)
    answer = post(client, AUTHENTICATE, WRONG_PROOF[wrong](key, options_on(client, AUTHENTICATE)))
    assert answer.status_code == 422
    assert "could not be taken" in answer.content.decode()
    assert not is_in(client)


@pytest.mark.parametrize("wrong", WRONG_NEW)
def test_nor_is_it_added(wrong: str, person: User) -> None:
    client, _ = sign_in(person)
    credential = WRONG_NEW[wrong](SoftKey(), options_on(client, ADD_PASSKEY))
    answer = post(client, ADD_PASSKEY, credential, name="x")
    assert answer.status_code == 422
    assert "note-error" in answer.content.decode()
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize("sent", ["", "{", "[" * 15_000, "\0", '{"a":1e999}', "NaN"])
def test_what_is_no_json_is_refused(sent: str, person: User, key: SoftKey) -> None:
    client = Client()
    ask_to_sign_in(client)
    answer = client.post(BY_PASSKEY, {"credential": sent})
    assert (answer.status_code, answer.headers["Location"]) == (302, LOGIN)


def test_an_answer_is_good_once(person: User, key: SoftKey) -> None:
    client = Client()
    answer = key.get(ask_to_sign_in(client))
    post(client, BY_PASSKEY, answer)
    assert is_in(client)
    for other in (client, Client()):
        other.post("/accounts/logout/")
        post(other, BY_PASSKEY, answer)
        assert not is_in(other)


def test_a_passkey_of_somebody_else_is_not_taken_for_the_person(
    person: User, key: SoftKey, lead: User
) -> None:
    add(sign_in(with_password(lead))[0], theirs := SoftKey())
    client, _ = sign_in(person)
    answer = post(client, AUTHENTICATE, theirs.get(options_on(client, AUTHENTICATE)))
    assert answer.status_code == 422
    theirs.handle = key.handle
    by_passkey(other := Client(), theirs)
    assert not is_in(other)


def test_a_refusal_is_an_event_of_the_person(person: User, key: SoftKey) -> None:
    client, _ = sign_in(person)
    before = AuditEvent.objects.filter(action="signin.failed").count()
    post(client, AUTHENTICATE, SoftKey(handle=key.handle).get(options_on(client, AUTHENTICATE)))
    [event] = AuditEvent.objects.filter(action="signin.failed")[before:]
    assert event.actor == person.email
