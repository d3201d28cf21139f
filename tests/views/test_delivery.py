"""Status, the sealed key and its confirmation: as programs and browsers see them."""

import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from portal import sealing, wakeup
from portal.models import AuditEvent, State, Token, User
from portal.scheduler import run_all as sweep
from portal.views.tokens import deliver
from tests.conftest import Catalog
from tests.person import KeyPair
from tests.views.conftest import KEY, Post, opened

pytestmark = pytest.mark.django_db

FINGERPRINT = sealing.fingerprint(KEY)
UNDER_WAY = (
    State.AWAITING_APPROVAL,
    State.AWAITING_RECIPIENT,
    State.QUEUED,
    State.ISSUING,
)
OVER = (
    State.ACTIVE,
    State.REVOKING,
    State.REVOKED,
    State.EXPIRED,
    State.FAILED,
    State.DENIED,
    State.CANCELLED,
)


def url(token: Token, page: str) -> str:
    return f"/tokens/{token.pk}/{page}/"


@pytest.fixture
def browser(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


@pytest.fixture
def sealed(make_sealed: Callable[..., Token], engineer: User) -> Token:
    return make_sealed(engineer)


@pytest.fixture
def in_state(make_token: Callable[..., Token], engineer: User) -> Callable[[State], Token]:
    def make(state: State) -> Token:
        lease = timezone.now() + timedelta(seconds=45) if state == State.ISSUING else None
        return make_token(engineer, state=state, lease_until=lease)

    return make


def everything() -> list[object]:
    """Every column of every token and every event."""
    return [*Token.objects.order_by("pk").values_list(), *AuditEvent.objects.values_list()]


# -- Who may ask --------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["status", "sealed", "delivered"])
def test_the_anonymous_get_401_as_json(sealed: Token, page: str) -> None:
    ask = Client().post if page == "delivered" else Client().get
    answer = ask(url(sealed, page))
    assert (answer.status_code, answer.json()) == (401, {"message": "Sign in first."})


def test_the_anonymous_get_401_before_anything_is_said_of_csrf(sealed: Token) -> None:
    answer = Client(enforce_csrf_checks=True).post(url(sealed, "delivered"))
    assert (answer.status_code, answer.json()) == (401, {"message": "Sign in first."})


@pytest.mark.parametrize("page", ["status", "sealed", "delivered"])
def test_a_token_of_another_team_is_not_there(
    sealed: Token, outsider: User, sign_in: Callable[[User], Client], page: str
) -> None:
    before = everything()
    client = sign_in(outsider)
    ask = client.post if page == "delivered" else client.get
    answer = ask(url(sealed, page), {"fingerprint": FINGERPRINT})
    assert (answer.status_code, list(answer.json())) == (404, ["message"])
    assert everything() == before


@pytest.mark.parametrize("who", ["teammate", "lead", "admin", "auditor"])
def test_others_may_read_the_status_and_nothing_of_the_key(
    sealed: Token,
    sign_in: Callable[[User], Client],
    request: pytest.FixtureRequest,
    who: str,
) -> None:
    client = sign_in(request.getfixturevalue(who))
    before = everything()
    assert client.get(url(sealed, "status")).json()["state"] == "sealed"
    refused = client.get(url(sealed, "sealed"))
    assert (refused.status_code, "Only the recipient" in refused.json()["message"]) == (403, True)
    for fingerprint in (FINGERPRINT, sealing.fingerprint("another key"), "malformed"):
        confirmation = client.post(url(sealed, "delivered"), {"fingerprint": fingerprint})
        assert (confirmation.status_code, list(confirmation.json())) == (403, ["message"])
    assert everything() == before


def test_a_token_that_does_not_exist_is_not_there(browser: Client) -> None:
    for page in ("status", "sealed"):
        missing = f"/tokens/00000000-0000-4000-8000-000000000000/{page}/"
        assert browser.get(missing).status_code == 404


@pytest.mark.parametrize("page", ["status", "sealed", "delivered"])
def test_each_answers_to_its_own_method_alone(sealed: Token, browser: Client, page: str) -> None:
    ask = browser.get if page == "delivered" else browser.post
    assert ask(url(sealed, page)).status_code == 405


# -- Status -------------------------------------------------------------------------------------


def test_the_status_says_where_the_token_is(
    sealed: Token, browser: Client, catalog: Catalog
) -> None:
    answer = browser.get(url(sealed, "status"))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert "no-store" in answer.headers["Cache-Control"]
    assert sealed.expires_at is not None
    assert answer.json() == {
        "state": "sealed",
        "message": "The key is here, sealed to the browser that asked for it.",
        "name": sealed.name,
        "workspace": catalog.workspace.aws_id,
        "service_account": catalog.deployer.aws_id,
        "seconds_to_live": 3600,
        "expires_at": sealed.expires_at.isoformat(),
    }


def test_the_status_of_a_request_has_no_end_yet(
    in_state: Callable[[State], Token], browser: Client
) -> None:
    assert browser.get(url(in_state(State.QUEUED), "status")).json()["expires_at"] is None


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_message_for_people(
    in_state: Callable[[State], Token], browser: Client, state: State
) -> None:
    said = browser.get(url(in_state(state), "status")).json()
    assert said["state"] == state
    assert said["message"].endswith(".")


def test_a_throttled_request_says_why_it_waits(
    make_token: Callable[..., Token], engineer: User, browser: Client
) -> None:
    token = make_token(
        engineer,
        error_code="ThrottlingException",
        not_before=timezone.now() + timedelta(seconds=9),
        aws_request_id="5b1c-example",
    )
    message = browser.get(url(token, "status")).json()["message"]
    assert "AWS asks us to slow down." in message
    assert "AWS request id: 5b1c-example." in message


@pytest.mark.parametrize(
    ("code", "happened"),
    [
        ("ThrottlingException", "AWS asks us to slow down."),
        ("ConflictException", "AWS is changing the workspace, and makes no token meanwhile."),
        ("InternalServerException", "AWS had an internal error"),
        ("OutcomeUnknown", "AWS did not answer, or its answer made no sense"),
        ("NotSent", "The portal can't reach AWS."),
        ("", "No worker took the request for an hour."),
    ],
)
def test_a_request_that_waited_for_an_hour_is_not_said_to_be_tried_again(
    make_token: Callable[..., Token], engineer: User, browser: Client, code: str, happened: str
) -> None:
    an_hour_ago = timezone.now() - timedelta(hours=1, seconds=1)
    token = make_token(engineer, error_code=code, queued_at=an_hour_ago)
    sweep()
    said = browser.get(url(token, "status")).json()
    assert said["state"] == "failed"
    assert happened in said["message"]
    for promise in ("Nothing to do", "tries again", "keeps trying", "AWS refused"):
        assert promise not in said["message"]
    page = browser.get(f"/tokens/{token.pk}/").content.decode()
    assert "Nothing to do" not in page


@pytest.mark.parametrize(
    ("code", "weight"),
    [("ServiceQuotaExceededException", "primary"), ("AccessDeniedException", "secondary")],
)
def test_trying_again_is_the_main_thing_to_do_only_where_it_can_help(
    make_token: Callable[..., Token], engineer: User, browser: Client, code: str, weight: str
) -> None:
    token = make_token(engineer, state=State.FAILED, error_code=code)
    page = browser.get(f"/tokens/{token.pk}/").content.decode()
    assert re.search(rf'class="button button-{weight}"[^>]*>\s*Try again\s*<', page)
    assert ("Tell the people who run this portal" in page) is (weight == "secondary")


# -- The sealed key -----------------------------------------------------------------------------


def test_the_recipient_gets_the_ciphertext_again_and_again(
    sealed: Token, browser: Client, keys: KeyPair
) -> None:
    before = everything()
    for _ in range(3):
        answer = browser.get(url(sealed, "sealed"))
        assert answer.status_code == 200
        assert list(answer.json()) == ["sealed_key"]
        assert "no-store" in answer.headers["Cache-Control"]
        assert opened(keys, sealed, answer.json()["sealed_key"]) == KEY
    assert everything() == before


@pytest.mark.parametrize("state", UNDER_WAY)
def test_while_under_way_it_answers_202_with_the_status(
    in_state: Callable[[State], Token], browser: Client, state: State
) -> None:
    answer = browser.get(url(in_state(state), "sealed"))
    assert (answer.status_code, answer.json()["state"]) == (202, state)


@pytest.mark.parametrize("state", OVER)
def test_once_delivered_wiped_or_ended_it_answers_410(
    in_state: Callable[[State], Token], browser: Client, state: State
) -> None:
    answer = browser.get(url(in_state(state), "sealed"))
    assert (answer.status_code, answer.json()["state"]) == (410, state)
    assert "sealed_key" not in answer.json()


def test_reading_pages_and_status_changes_nothing(sealed: Token, browser: Client) -> None:
    before = everything()
    for path in ("/tokens/", "/tokens/new/", f"/tokens/{sealed.pk}/", url(sealed, "status")):
        assert browser.get(path).status_code == 200
    assert browser.head(f"/tokens/{sealed.pk}/").status_code in (200, 405)
    assert everything() == before


def test_no_page_holds_the_ciphertext_or_the_fingerprint(sealed: Token, browser: Client) -> None:
    """What a page holds, its history and its screenshots hold too."""
    said = browser.get(url(sealed, "sealed")).json()["sealed_key"]
    for path in ("/tokens/", f"/tokens/{sealed.pk}/", url(sealed, "status")):
        html = browser.get(path).content.decode()
        assert said not in html
        assert FINGERPRINT not in html
        assert KEY not in html


# -- The confirmation ---------------------------------------------------------------------------


def confirm(post: Post, client: Client, token: Token, fingerprint: str) -> Any:
    return post(client, url(token, "delivered"), fingerprint=fingerprint)


def test_the_right_fingerprint_wipes_the_ciphertext_and_leaves_an_event(
    sealed: Token, browser: Client, post: Post
) -> None:
    answer = confirm(post, browser, sealed, FINGERPRINT)
    assert (answer.status_code, answer.json()["state"]) == (200, "active")
    sealed.refresh_from_db()
    assert (sealed.state, sealed.sealed_key) == (State.ACTIVE, None)
    assert sealed.delivered_at is not None
    event = AuditEvent.objects.get()
    assert (event.action, event.actor) == ("token.delivered", "engineer@example.com")
    assert event.address == "192.0.2.7"
    assert browser.get(url(sealed, "sealed")).status_code == 410


def test_the_same_fingerprint_again_is_confirmed_again(
    sealed: Token, browser: Client, post: Post
) -> None:
    for _ in range(3):
        assert confirm(post, browser, sealed, FINGERPRINT).status_code == 200
    assert AuditEvent.objects.count() == 1


def test_another_fingerprint_is_a_conflict_and_changes_nothing(
    sealed: Token, browser: Client, post: Post
) -> None:
    before = everything()
    other = sealing.fingerprint("another key")
    assert confirm(post, browser, sealed, other).status_code == 409
    assert everything() == before
    assert confirm(post, browser, sealed, FINGERPRINT).status_code == 200
    assert confirm(post, browser, sealed, other).status_code == 409


@pytest.mark.parametrize(
    "malformed", ["", "abc", FINGERPRINT.upper(), f"{FINGERPRINT}0", f" {FINGERPRINT}", KEY]
)
def test_what_is_no_fingerprint_is_refused_and_never_said_back(
    sealed: Token, browser: Client, post: Post, malformed: str
) -> None:
    answer = confirm(post, browser, sealed, malformed)
    assert answer.status_code == 422
    assert KEY not in answer.content.decode()
    sealed.refresh_from_db()
    assert sealed.state == State.SEALED


@pytest.mark.parametrize("state", [State.REVOKING, State.REVOKED])
def test_once_wiped_unconfirmed_it_answers_410(
    sealed: Token, browser: Client, post: Post, state: State
) -> None:
    Token.objects.update(state=state, sealed_key=None)
    assert confirm(post, browser, sealed, FINGERPRINT).status_code == 410
    assert not AuditEvent.objects.exists()


def test_a_delivered_key_is_confirmed_again_even_after_its_end(
    sealed: Token, browser: Client, post: Post
) -> None:
    """The browser that crashed before it showed the key may still show it."""
    confirm(post, browser, sealed, FINGERPRINT)
    Token.objects.update(state=State.EXPIRED)
    again = confirm(post, browser, sealed, FINGERPRINT)
    assert (again.status_code, again.json()["state"]) == (200, State.EXPIRED)


@pytest.mark.parametrize("state", [State.QUEUED, State.ISSUING])
def test_there_is_nothing_to_confirm_before_the_key_is_there(
    in_state: Callable[[State], Token], browser: Client, post: Post, state: State
) -> None:
    answer = confirm(post, browser, in_state(state), FINGERPRINT)
    assert (answer.status_code, answer.json()["message"]) == (
        409,
        "There is no key to confirm yet.",
    )


def test_a_confirmation_needs_the_csrf_token(sealed: Token, engineer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(engineer)
    answer = client.post(url(sealed, "delivered"), {"fingerprint": FINGERPRINT})
    assert (answer.status_code, list(answer.json())) == (403, ["message"])
    sealed.refresh_from_db()
    assert sealed.state == State.SEALED


# -- Waiting ------------------------------------------------------------------------------------

waits = pytest.mark.django_db(transaction=True)  # a wait holds no database connection


def timed(client: Client, path: str) -> tuple[float, Any]:
    """How many seconds the answer took, and the answer."""
    started = time.monotonic()
    answer = client.get(path)
    return time.monotonic() - started, answer


@pytest.fixture
def later() -> Any:
    """Do something in another thread after some seconds, on a database connection of its own."""
    threads: list[threading.Thread] = []

    def later(seconds: float, change: Callable[[], object]) -> None:
        def run() -> None:
            time.sleep(seconds)
            change()
            connections.close_all()

        threads.append(threading.Thread(target=run))
        threads[-1].start()

    yield later
    for thread in threads:
        thread.join()


@waits
def test_a_wait_ends_when_the_state_changes_even_if_nobody_rings(
    in_state: Callable[[State], Token], browser: Client, later: Any
) -> None:
    """So a broker that is away, or loses a ring, costs a second."""
    token = in_state(State.QUEUED)
    later(0.3, lambda: Token.objects.update(state=State.CANCELLED))
    seconds, answer = timed(browser, url(token, "status") + "?wait=15&state=queued")
    assert answer.json()["state"] == "cancelled"
    assert 0.3 <= seconds < 8


@waits
def test_a_wait_ends_as_soon_as_it_is_rung(
    in_state: Callable[[State], Token],
    browser: Client,
    later: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deliver, "LOOK_AGAIN_SECONDS", 60.0)
    token = in_state(State.QUEUED)

    answered = threading.Event()

    def change() -> None:
        Token.objects.update(state=State.CANCELLED)
        wakeup.publish(token.pk)
        while not answered.wait(0.2):  # the listener may have been connecting still
            wakeup.publish(token.pk)

    later(0.1, change)
    seconds, answer = timed(browser, url(token, "status") + "?wait=15&state=queued")
    answered.set()
    assert (answer.json()["state"], seconds < 12) == ("cancelled", True)


@waits
def test_a_wait_for_the_key_ends_with_the_key(
    make_sealed: Callable[..., Token], engineer: User, browser: Client, keys: KeyPair, later: Any
) -> None:
    token = make_sealed(engineer)
    ciphertext = token.sealed_key
    Token.objects.update(state=State.QUEUED, sealed_key=None)
    later(0.3, lambda: Token.objects.update(state=State.SEALED, sealed_key=ciphertext))
    seconds, answer = timed(browser, url(token, "sealed") + "?wait=15")
    assert answer.status_code == 200
    assert opened(keys, token, answer.json()["sealed_key"]) == KEY
    assert 0.3 <= seconds < 8


@waits
def test_a_wait_for_the_key_can_report_progress_on_the_way(
    in_state: Callable[[State], Token], browser: Client, later: Any
) -> None:
    token = in_state(State.QUEUED)
    lease = timezone.now() + timedelta(seconds=45)
    later(0.2, lambda: Token.objects.update(state=State.ISSUING, lease_until=lease))
    seconds, answer = timed(browser, url(token, "sealed") + "?wait=15&state=queued")
    assert (answer.status_code, answer.json()["state"]) == (202, "issuing")
    assert seconds < 8


@waits
def test_a_wait_ends_after_its_time(in_state: Callable[[State], Token], browser: Client) -> None:
    token = in_state(State.QUEUED)
    seconds, answer = timed(browser, url(token, "status") + "?wait=1&state=queued")
    assert answer.json()["state"] == "queued"
    assert 1 <= seconds < 8


@waits
def test_a_longer_wait_than_15_seconds_is_cut(
    in_state: Callable[[State], Token], browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert deliver.LONGEST_WAIT == 15
    monkeypatch.setattr(deliver, "LONGEST_WAIT", 0.5)
    token = in_state(State.QUEUED)
    for wait in ("86400", "9" * 400):
        seconds, answer = timed(browser, url(token, "sealed") + f"?wait={wait}")
        assert (answer.status_code, seconds < 8) == (202, True)


def never_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test as soon as anything waits."""

    def place(*_: object) -> None:
        raise AssertionError("it waits")

    monkeypatch.setattr(wakeup._listener, "place", place)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?state=queued",
        "?wait=0&state=queued",
        "?wait=&state=queued",
        "?wait=-5&state=queued",
        "?wait=1e3&state=queued",
        "?wait=soon&state=queued",
        "?wait=nan&state=queued",
        "?wait=15&state=sealed",
        "?wait=15",
    ],
)
def test_a_status_that_need_not_wait_answers_at_once(
    in_state: Callable[[State], Token],
    browser: Client,
    monkeypatch: pytest.MonkeyPatch,
    query: str,
) -> None:
    never_waits(monkeypatch)
    answer = browser.get(url(in_state(State.QUEUED), "status") + query)
    assert (answer.status_code, answer.json()["state"]) == (200, "queued")


@pytest.mark.parametrize("state", [State.AWAITING_APPROVAL, State.AWAITING_RECIPIENT])
def test_nothing_that_waits_for_a_human_waits_on_the_wire(
    in_state: Callable[[State], Token],
    browser: Client,
    monkeypatch: pytest.MonkeyPatch,
    state: State,
) -> None:
    never_waits(monkeypatch)
    token = in_state(state)
    assert browser.get(url(token, "sealed") + "?wait=15").status_code == 202
    assert browser.get(url(token, "status") + f"?wait=15&state={state}").status_code == 200


def test_a_key_that_is_there_is_given_at_once(
    sealed: Token, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    never_waits(monkeypatch)
    assert browser.get(url(sealed, "sealed") + "?wait=15&state=sealed").status_code == 200


@pytest.mark.parametrize("limit", ["MOST_WAITING", "MOST_WAITING_PER_PERSON"])
def test_too_many_who_wait_are_answered_at_once(
    in_state: Callable[[State], Token],
    browser: Client,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
) -> None:
    monkeypatch.setattr(wakeup, limit, 0)
    answer = browser.get(url(in_state(State.QUEUED), "sealed") + "?wait=15")
    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
