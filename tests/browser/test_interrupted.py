"""Pages, connections and processes that die at the worst moment cost no key."""

import contextlib
import re

from playwright.sync_api import Error, Page, Response, Route, expect

from tests.browser.live import Live
from tests.browser.steps import (
    expect_state,
    key_element,
    request_token,
    says,
    stored_records,
    take_key,
)
from tests.browser.watch import Watch
from tests.product import within

CONFIRMATION = re.compile(r"/delivered/$")
CIPHERTEXT = re.compile(r"/sealed/")


def confirmations_on(page: Page) -> list[int]:
    """The statuses with which confirmations are answered on this page from now on."""
    statuses: list[int] = []

    def note(response: Response) -> None:
        if CONFIRMATION.search(response.url):
            statuses.append(response.status)

    page.on("response", note)
    return statuses


def test_a_page_that_dies_between_confirmation_and_display_shows_the_key_when_it_comes_back(
    live: Live, engineer: Page
) -> None:
    answered: list[int] = []

    def lose_the_answer(route: Route) -> None:
        answered.append(route.fetch().status)  # the server has it; the page never learns

    engineer.route(CONFIRMATION, lose_the_answer)
    request_token(engineer)
    assert within(30, lambda: pumped(engineer) and answered == [200])
    url = engineer.url
    again = engineer.context.new_page()
    engineer.close()

    confirmations = confirmations_on(again)
    again.goto(url)
    key = take_key(again)
    assert confirmations == [200]
    assert live.answers_to(key) == 200
    assert stored_records(again) == []


def pumped(page: Page) -> bool:
    """Let Playwright handle what has happened meanwhile."""
    return bool(page.evaluate("true"))


def test_a_page_that_has_the_ciphertext_already_takes_back_its_question_for_it(
    live: Live, engineer: Page, watch: Watch
) -> None:
    """Answered after the confirmation, it would be an error on the console."""
    lost: list[Route] = []

    def lose_the_first(route: Route) -> None:
        lost.append(route)
        if len(lost) > 1:
            route.continue_()

    engineer.route(CONFIRMATION, lose_the_first)
    with engineer.expect_request(CONFIRMATION):
        request_token(engineer)
    slow: list[Route] = []
    engineer.route(CIPHERTEXT, lambda route: slow.append(route))
    engineer.reload()
    assert live.answers_to(take_key(engineer)) == 200
    for route in slow:
        with contextlib.suppress(Error):  # of a question that was taken back
            route.continue_()
    # Whatever is still asked is answered before this is; ``watch`` hears of it.
    engineer.evaluate("fetch('/healthz').then((answer) => answer.text())")


def test_a_confirmation_whose_answer_is_lost_is_sent_again(
    live: Live, engineer: Page, watch: Watch
) -> None:
    watch.expect("net::ERR_FAILED")
    answered: list[int] = []

    def lose_the_first_answer(route: Route) -> None:
        answered.append(route.fetch().status)
        if len(answered) == 1:
            route.abort()
        else:
            route.continue_()

    engineer.route(CONFIRMATION, lose_the_first_answer)
    request_token(engineer)
    assert live.answers_to(take_key(engineer)) == 200
    assert answered == [200, 200]


def test_a_ciphertext_that_never_arrives_is_fetched_again(
    live: Live, engineer: Page, watch: Watch
) -> None:
    watch.expect("net::ERR_FAILED")
    watch.expect_status(502)
    met: list[str] = []

    def fail_twice(route: Route) -> None:
        met.append(route.request.url)
        if len(met) == 1:
            route.abort()
        elif len(met) == 2:
            route.fulfill(status=502, body="<h1>Bad gateway</h1>", content_type="text/html")
        else:
            route.continue_()

    engineer.route(re.compile(r"/sealed/"), fail_twice)
    request_token(engineer)
    expect(says(engineer, "Reconnecting")).to_be_visible()
    assert live.answers_to(take_key(engineer)) == 200
    expect(says(engineer, "Reconnecting")).to_have_count(0)


def test_a_page_outlives_the_web_process(live: Live, engineer: Page, watch: Watch) -> None:
    watch.expect("net::ERR_")
    lost: list[str] = []
    engineer.on("requestfailed", lambda request: lost.append(request.url))
    live.hold_aws()
    request_token(engineer)
    expect_state(engineer, "issuing")
    live.kill_web()
    live.let_aws_go()
    assert live.answers_to(take_key(engineer)) == 200
    assert lost != []


def test_a_request_made_while_no_worker_lives_gets_its_key(live: Live, engineer: Page) -> None:
    live.product.kill("worker")
    request_token(engineer)
    expect(key_element(engineer)).to_be_attached(timeout=40_000)
    assert live.answers_to(take_key(engineer)) == 200
