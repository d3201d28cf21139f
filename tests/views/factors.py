"""What the tests of second factors share: people who sign in by password, and their apps."""

import re
from typing import Any

from django.test import Client

from portal.models import AuditEvent, User
from tests.totp import code_of

PASSWORD = "correct horse battery staple"
INDEX = "/accounts/2fa/"
LOGIN = "/accounts/login/"
AUTHENTICATE = "/accounts/2fa/authenticate/"
ADD_APP = "/accounts/2fa/totp/activate/"
REMOVE_APP = "/accounts/2fa/totp/deactivate/"
CODES = "/accounts/2fa/recovery-codes/"
NEW_CODES = "/accounts/2fa/recovery-codes/generate/"
ADD_PASSKEY = "/accounts/2fa/webauthn/add/"
REAUTHENTICATE = "/accounts/reauthenticate/"


def with_password(person: User) -> User:
    person.set_password(PASSWORD)
    person.save()
    return person


def browser() -> Client:
    return Client(headers={"user-agent": "Mozilla/5.0 (X11; Linux) Firefox/140.0"})


def sign_in(person: User, client: Client | None = None) -> tuple[Client, Any]:
    """By the form; where a factor is asked for, that page is where the answer leads."""
    client = client or browser()
    answer = client.post(LOGIN, {"login": person.email, "password": PASSWORD})
    return client, answer


def wrong_code(seed: str) -> str:
    right = {code_of(seed, periods=periods) for periods in (-1, 0, 1, 2)}
    return next(f"{number:06}" for number in range(10) if f"{number:06}" not in right)


def offered_seed(client: Client) -> str:
    page = client.get(ADD_APP).content.decode()
    found = re.search(r'id="authenticator_secret"[^>]* value="([A-Z2-7]+)"', page)
    assert found
    return found[1]


def shown_codes(client: Client) -> list[str]:
    page = client.get(CODES).content.decode()
    found = re.search(r'<textarea id="recovery_codes"[^>]*>([^<]*)</textarea>', page)
    return found[1].split() if found else []


def add_app(client: Client) -> tuple[str, list[str]]:
    """The seed of the app that was added, and the recovery codes that came with it."""
    seed = offered_seed(client)
    answer = client.post(ADD_APP, {"code": code_of(seed, periods=-1)})
    assert answer.status_code == 302, answer.content.decode()
    codes = shown_codes(client)
    client.post(CODES)
    return seed, codes


def is_in(client: Client) -> bool:
    return client.get("/tokens/").status_code == 200


def told(action: str) -> list[tuple[Any, ...]]:
    events = AuditEvent.objects.filter(action=action).order_by("seq")
    return list(events.values_list("actor", "subject", "count"))
