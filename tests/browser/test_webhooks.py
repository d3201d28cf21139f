"""Webhooks: a lead makes one, tries it, and sees what was sent, without a mouse; it looks right."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect
from standardwebhooks import Webhook as Verifier

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right, picture, tab_to
from tests.browser.steps import new_name
from tests.browser.watch import Watch
from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair
from tests.product import within
from tests.webhooks.receiver import Receiver

LIST = "/team/platform/webhooks/"


@pytest.fixture
def page(page_as: Callable[[str], Page]) -> Page:
    """A lead's."""
    return page_as("lead@example.com")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_a_webhook_is_made_and_tried_by_keyboard(
    page: Page, receiver: Receiver, watch: Watch, live: Live, keys: KeyPair
) -> None:
    watch.expect_status(422)
    name, token_name = new_name(), new_name()
    page.goto("/team/platform/")
    page.get_by_role("link", name="Webhooks", exact=True).click()
    page.get_by_role("link", name="Add a webhook").press("Enter")
    picture(page, "webhook-new")
    assert_looks_right(page)
    tab_to(page, "#id_url")
    page.keyboard.type("https://169.254.169.254/latest/")
    page.keyboard.press("Tab")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.get_by_text("where machines get their credentials")).to_be_visible()
    picture(page, "webhook-mend")
    assert_looks_right(page)
    expect(page.get_by_label("Name")).to_have_value(name)
    expect(page.locator("#id_url")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type(receiver.url())
    page.keyboard.press("Enter")
    secret = page.locator("#id_secret").input_value()
    assert re.fullmatch(r"whsec_[\w+/=]{44}", secret)
    picture(page, "webhook-secret")
    assert_looks_right(page)
    page.get_by_role("button", name="I have stored it").press("Enter")
    expect(page.get_by_test_id("webhook-secret")).to_have_count(0)
    for title in ("Change it…", "Make a new secret…", "Delete it…"):
        page.locator("summary").filter(has_text=title).press("Enter")
    picture(page, "webhook")
    assert_looks_right(page)
    page.get_by_role("button", name="Send a test").press("Enter")
    assert within(60, lambda: bool(receiver.posted))
    [posted, *_] = receiver.posted
    assert Verifier(secret).verify(posted.body, posted.headers)["type"] == "webhook.test"
    assert within(60, lambda: _shows(page, "HTTP 200"))
    page.locator("summary").filter(has_text="Body").first.press("Enter")
    picture(page, "webhook-messages")
    assert_looks_right(page)
    page.get_by_role("button", name=f"Send {posted.id} again").press("Enter")
    assert within(60, lambda: [one.id for one in receiver.posted].count(posted.id) > 1)
    engineer = live.product.sign_in("engineer@example.com")
    token = engineer.request(
        keys, workspace=PROD, service_account="2", name=token_name, seconds_to_live="3600"
    )
    key = engineer.take(keys, token)
    said = ['"type":"token.issued"', f'"name":"{token_name}"']
    assert within(60, lambda: any(all(map(one.body.count, said)) for one in receiver.posted))
    assert not any(key in one.body or "glsa_" in one.body for one in receiver.posted)
    page.goto(LIST)
    expect(page.get_by_role("link", name=name)).to_be_visible()
    picture(page, "webhooks")
    assert_looks_right(page)


def test_a_receiver_that_fails_is_told_of(page: Page, receiver: Receiver) -> None:
    name = new_name()
    receiver.answer = lambda: 500
    page.goto(f"{LIST}new/")
    page.get_by_label("Address").fill(receiver.url())
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Add the webhook").click()
    page.get_by_role("button", name="Send a test").click()
    assert within(60, lambda: _shows(page, "It answered HTTP 500."))
    picture(page, "webhook-failing-messages")
    assert_looks_right(page)
    page.get_by_role("link", name=name).click()
    expect(page.get_by_text("It has been failing since")).to_be_visible()
    picture(page, "webhook-failing")
    assert_looks_right(page)
    page.locator("summary").filter(has_text="Delete it…").click()
    page.get_by_role("button", name="Delete the webhook").click()
    expect(page.get_by_text("The webhook is deleted")).to_be_visible()
    expect(page.get_by_role("link", name=name)).to_have_count(0)


def _shows(page: Page, text: str) -> bool:
    """Whether the page says so once it is read again."""
    page.reload()
    return page.get_by_text(text).count() > 0
