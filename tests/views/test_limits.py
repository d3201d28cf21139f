"""Limits on what signed-in people do: when they are met, and what is said then."""

import json
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections
from django.db.models import F
from django.test import Client
from pytest_django import Settings

from portal.limits import Limit, table
from portal.models import AuditEvent, LimitUse, State, Token, User
from portal.scheduler import run_all as sweep
from tests.conftest import Catalog
from tests.person import KeyPair
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db

FORM = "/tokens/new/"


@pytest.fixture
def browser(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


@pytest.fixture
def fields(catalog: Catalog, keys: KeyPair) -> dict[str, str]:
    return {
        "workspace": catalog.workspace.aws_id,
        "service_account": catalog.deployer.aws_id,
        "seconds_to_live": "3600",
        "reason": "for the pipeline",
        "public_key": keys.public,
    }


def ask(client: Client, fields: dict[str, str], name: str, **headers: str) -> Any:
    return client.post(FORM, {**fields, "name": name}, headers=headers, REMOTE_ADDR="192.0.2.7")


def told() -> list[tuple[Any, ...]]:
    events = AuditEvent.objects.filter(action="limit.exceeded").order_by("seq")
    return list(events.values_list("actor", "address", "subject", "count"))


# -- Requests for tokens ------------------------------------------------------------------------


def test_a_person_asks_for_so_many_tokens_an_hour_and_is_told_when_they_may_again(
    browser: Client,
    fields: dict[str, str],
    settings: Settings,
    enqueued: list[Any],
    engineer: User,
) -> None:
    settings.REQUESTS_PER_HOUR = 5
    answers = [ask(browser, fields, f"ci-{number}") for number in range(7)]
    assert [answer.status_code for answer in answers] == [302] * 5 + [429] * 2
    assert Token.objects.count() == 5
    last = answers[-1]
    page = last.content.decode()
    assert 3590 <= int(last.headers["Retry-After"]) <= 3600
    assert "You have asked for as many tokens within an hour as one person may." in page
    assert "Try again in 60 minutes, at " in page
    assert 'value="ci-6"' in page
    assert "for the pipeline" in page
    assert AuditEvent.objects.filter(action="token.requested").count() == 5
    assert told() == [(engineer.email, "192.0.2.7", "token.request", None)]
    LimitUse.objects.update(told_at=F("told_at") - timedelta(minutes=6))
    sweep()
    assert told()[1:] == [(engineer.email, None, "token.request", 1)]


def test_by_default_these_are_sixty(
    browser: Client,
    fields: dict[str, str],
    make_token: Callable[..., Token],
    engineer: User,
    enqueued: list[Any],
) -> None:
    for _ in range(59):
        make_token(engineer, state=State.FAILED)
    assert ask(browser, fields, "the-last").status_code == 302
    assert ask(browser, fields, "one-more").status_code == 429


def test_a_program_is_told_in_json(
    browser: Client, fields: dict[str, str], settings: Settings, enqueued: list[Any]
) -> None:
    settings.REQUESTS_PER_HOUR = 1
    ask(browser, fields, "first")
    answer = ask(browser, fields, "second", accept="application/json")
    assert answer.status_code == 429
    said = answer.json()
    assert said["retry_after"] == int(answer.headers["Retry-After"]) > 3500
    assert said["message"].startswith("You have asked for as many tokens within an hour")


def test_the_same_request_sent_twice_is_counted_once_and_never_refused(
    browser: Client, fields: dict[str, str], settings: Settings, enqueued: list[Any]
) -> None:
    settings.REQUESTS_PER_HOUR = 2
    for _ in range(4):
        assert ask(browser, fields, "first").status_code == 302
    assert ask(browser, fields, "second").status_code == 302
    assert ask(browser, fields, "third").status_code == 429
    for name in ("first", "second"):
        answer = ask(browser, fields, name)
        token = Token.objects.get(name=name)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/tokens/{token.pk}/")


def test_another_person_has_an_hour_of_their_own(
    browser: Client,
    fields: dict[str, str],
    settings: Settings,
    teammate: User,
    sign_in: Callable[[User], Client],
    enqueued: list[Any],
) -> None:
    settings.REQUESTS_PER_HOUR = 1
    assert ask(browser, fields, "first").status_code == 302
    assert ask(browser, fields, "second").status_code == 429
    assert ask(sign_in(teammate), fields, "third").status_code == 302


def test_limits_can_be_turned_off_for_load_tests(
    browser: Client, fields: dict[str, str], settings: Settings, enqueued: list[Any]
) -> None:
    settings.REQUESTS_PER_HOUR = 1
    settings.RATE_LIMITS = False
    assert [ask(browser, fields, f"ci-{n}").status_code for n in range(3)] == [302] * 3


@pytest.mark.django_db(transaction=True)
def test_many_requests_at_once_are_no_more_than_one_after_another(
    engineer: User,
    fields: dict[str, str],
    settings: Settings,
    sign_in: Callable[[User], Client],
    enqueued: list[Any],
) -> None:
    settings.REQUESTS_PER_HOUR = 5
    browsers = [sign_in(engineer) for _ in range(12)]
    gate = threading.Barrier(len(browsers))
    statuses: list[int] = []

    def send(browser: Client) -> None:
        gate.wait()
        statuses.append(ask(browser, fields, f"ci-{uuid.uuid4().hex[:8]}").status_code)
        connections.close_all()

    threads = [threading.Thread(target=send, args=[one]) for one in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [302] * 5 + [429] * 7
    assert Token.objects.count() == 5


def test_a_renewal_is_a_request_too_and_keeps_what_was_typed(
    browser: Client,
    make_token: Callable[..., Token],
    engineer: User,
    keys: KeyPair,
    settings: Settings,
    post: Post,
) -> None:
    old = make_token(engineer, state=State.ACTIVE, aws_token_id="1")
    settings.REQUESTS_PER_HOUR = 1
    answer = post(
        browser,
        f"/tokens/{old.pk}/reissue/",
        mode="replace",
        recipient="owner",
        reason="it may have leaked",
        public_key=keys.public,
    )
    assert answer.status_code == 429
    assert "it may have leaked" in answer.content.decode()
    old.refresh_from_db()
    assert old.state == State.ACTIVE


# -- Everything else ----------------------------------------------------------------------------


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(engineer, state=State.ACTIVE, aws_token_id="17")


ACTIONS = [
    ("lead", "POST", "/tokens/{token}/revoke/", "ENDS"),
    ("lead", "POST", "/tokens/{token}/cancel/", "ENDS"),
    ("lead", "POST", "/team/platform/revoke/", "ENDS"),
    ("lead", "POST", "/tokens/{token}/reissue/", "REISSUES"),
    ("lead", "POST", "/tokens/{token}/hand-over/", "HANDOVERS"),
    ("lead", "POST", "/tokens/{token}/hand-over/withdraw/", "HANDOVERS"),
    ("lead", "POST", "/tokens/{token}/hand-over/accept/", "ANSWERS"),
    ("lead", "POST", "/tokens/{token}/hand-over/decline/", "ANSWERS"),
    ("lead", "POST", "/tokens/{token}/approve/", "ANSWERS"),
    ("lead", "POST", "/tokens/{token}/deny/", "ANSWERS"),
    ("lead", "POST", "/audit/find/", "FINDS"),
    ("auditor", "GET", "/audit/export.csv", "EXPORTS"),
    ("auditor", "GET", "/audit/export.jsonl", "EXPORTS"),
]


@pytest.mark.parametrize(("role", "method", "path", "name"), ACTIONS, ids=[a[2] for a in ACTIONS])
def test_what_is_done_too_often_is_refused_until_some_time_has_passed(
    role: str,
    method: str,
    path: str,
    name: str,
    lead: User,
    auditor: User,
    token: Token,
    sign_in: Callable[[User], Client],
    enqueued: list[Any],
) -> None:
    person = {"lead": lead, "auditor": auditor}[role]
    client, address = sign_in(person), path.format(token=token.pk)
    limit: Limit = getattr(table, name)
    send = client.get if method == "GET" else client.post
    assert send(address).status_code != 429
    bucket = LimitUse.objects.get(limit=limit.name)
    bucket.level = limit.burst - 1
    bucket.save()
    assert send(address).status_code != 429
    answer = send(address)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= limit.seconds + 1
    page = answer.content.decode()
    assert limit.says in page
    assert "Token portal" in page
    assert json.loads(send(address, headers={"accept": "application/json"}).content)["retry_at"]
    assert told() == [(person.email, "127.0.0.1", limit.name, None)]
    LimitUse.objects.update(blocked_until=F("blocked_until") - timedelta(seconds=limit.seconds))
    assert send(address).status_code != 429


def test_a_refusal_is_no_error_in_the_log(
    lead: User,
    token: Token,
    sign_in: Callable[[User], Client],
    caplog: pytest.LogCaptureFixture,
    enqueued: list[Any],
) -> None:
    client = sign_in(lead)
    client.post("/audit/find/")
    LimitUse.objects.update(level=table.FINDS.burst)
    client.post("/audit/find/")
    caplog.clear()
    assert client.post("/audit/find/").status_code == 429
    assert "'code': 429" in caplog.text
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_an_emergency_ends_five_hundred_tokens_by_one_form_and_each_by_its_own(
    lead: User,
    engineer: User,
    make_token: Callable[..., Token],
    sign_in: Callable[[User], Client],
    enqueued: list[Any],
) -> None:
    live = [make_token(engineer, state=State.ACTIVE, aws_token_id=str(n)) for n in range(501)]
    client = sign_in(lead)
    chosen = [str(token.pk) for token in live[:500]]
    answer = client.post("/team/platform/revoke/", {"token": chosen, "reason": "a leaked laptop"})
    assert answer.status_code == 302
    assert LimitUse.objects.get(limit="token.end").level == 1
    assert client.post(f"/tokens/{live[500].pk}/revoke/").status_code == 302
    assert table.ENDS.burst >= 1000, "a script that ends them one by one gets through"


def test_reading_is_not_limited(
    lead: User, token: Token, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(lead)
    for path in (f"/tokens/{token.pk}/reissue/", "/audit/find/", "/tokens/new/"):
        assert client.get(path).status_code == 200
    assert not LimitUse.objects.exists()


def test_what_django_allauth_limits_is_told_like_the_rest(db: None) -> None:
    cache.clear()
    answers = [Client().post("/accounts/signup/", {}) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert int(answers[-1].headers["Retry-After"]) == 60
    assert "This was sent more often than the portal allows. Try again in 60 seconds" in (
        answers[-1].content.decode()
    )
    assert told() == [("unknown", "127.0.0.1", "account", None)]
