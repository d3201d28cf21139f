"""From sign-in to a key that works: what the product exists for, in a whole Chromium."""

import base64
import re
import zlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Dialog, Page, Playwright, expect

from tests.browser.chromium import CHROMIUM, launch
from tests.browser.live import Live
from tests.browser.steps import (
    expect_state,
    key_element,
    key_on,
    new_name,
    request_token,
    says,
    take_key,
)

KEY = re.compile(r"glsa_[0-9A-Za-z]{32}_[0-9a-f]{8}")


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    with launch(playwright, CHROMIUM) as browser:
        yield browser


@pytest.fixture
def browser_of_this_test(chromium: Browser) -> Browser:
    return chromium


def clipboard(page: Page) -> str:
    return str(page.evaluate("navigator.clipboard.readText()"))


PIXELS_APART = """
async (pictures) => {
  const drawn = await Promise.all(pictures.map(async (picture) => {
    const image = new Image();
    image.src = `data:image/png;base64,${picture}`;
    await image.decode();
    const { width, height } = image;
    const canvas = new OffscreenCanvas(width, height).getContext("2d");
    canvas.drawImage(image, 0, 0);
    return { width, height, bytes: canvas.getImageData(0, 0, width, height).data };
  }));
  const [one, other] = drawn;
  if (one.width !== other.width || one.height !== other.height) return Infinity;
  return one.bytes.filter((byte, at) => Math.abs(byte - other.bytes[at]) > 64).length;
}
"""


def is_legible(page: Page) -> bool:
    """Whether the screen shows anything of the key: whether it looks otherwise with another."""
    element = key_element(page)
    key = f"{element.text_content()}"

    def looks_with(text: str) -> str:
        element.evaluate("(element, text) => { element.textContent = text }", text)
        return base64.b64encode(element.screenshot()).decode()

    looks = [looks_with(f"glsa_{letter * 32}_{letter * 8}") for letter in "xW"]
    element.evaluate("(element, text) => { element.textContent = text }", key)
    # The same is not always drawn the same to the last bit; a letter changes many pixels by much.
    blank = page.context.new_page()
    apart = float(blank.evaluate(PIXELS_APART, looks))
    blank.close()
    return apart > 50


def dialogs_dismissed_on(page: Page) -> list[str]:
    """The kinds of dialogs that the page has opened from now on; somebody says no to each."""
    kinds: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        kinds.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", dismiss)
    return kinds


def test_an_engineer_asks_for_a_token_copies_its_key_and_uses_it(live: Live, page: Page) -> None:
    live.sign_in(page, "engineer@example.com")
    name = new_name()
    request_token(page, name, reason="nightly build")

    key = key_on(page)
    assert KEY.fullmatch(key)
    body, _, checksum = key.rpartition("_")
    assert zlib.crc32(body.encode()).to_bytes(4, "little").hex() == checksum
    expect(page.get_by_text("Copy it now: it cannot be shown again.")).to_be_visible()
    expect_state(page, "active")

    page.get_by_test_id("copy-key").click()
    expect(says(page, "Copied")).to_be_visible()
    assert clipboard(page) == key
    assert live.answers_to(key) == 200

    page.get_by_role("link", name="My tokens").first.click()
    row = page.get_by_test_id("tokens-table").get_by_role("row").filter(has_text=name)
    expect(row).to_contain_text("active")
    expect(row).to_contain_text("observability-prod")
    expect(row).to_contain_text("dashboards-ci")


def test_the_record_says_what_was_asked_for(engineer: Page) -> None:
    request_token(engineer, account="terraform", lifetime="7 days", reason="nightly build")
    take_key(engineer)
    record = engineer.get_by_role("region", name="Record")
    for words in ("terraform", "ADMIN", "engineer@example.com", "7 days", "nightly build"):
        expect(record).to_contain_text(words)
    expect(record).to_contain_text("Europe/Berlin")


def test_the_key_is_masked_until_it_is_shown(engineer: Page) -> None:
    request_token(engineer)
    key = key_on(engineer)
    show = engineer.get_by_test_id("show-key")
    assert not is_legible(engineer)
    expect(key_element(engineer)).to_have_attribute("aria-hidden", "true")

    show.click()
    expect(show).to_have_attribute("aria-pressed", "true")
    assert is_legible(engineer)
    expect(key_element(engineer)).to_have_text(key)
    expect(key_element(engineer)).not_to_have_attribute("aria-hidden", "true")

    show.click()
    expect(show).to_have_attribute("aria-pressed", "false")
    assert not is_legible(engineer)


def test_the_key_stands_in_no_element_before_it_is_shown_and_after_it_is_hidden(
    engineer: Page,
) -> None:
    request_token(engineer)
    expect(key_element(engineer)).to_be_attached()
    assert "glsa_" not in engineer.content()
    engineer.get_by_test_id("copy-key").click()
    expect(says(engineer, "Copied")).to_be_visible()
    key = clipboard(engineer)
    assert KEY.fullmatch(key)
    assert "glsa_" not in engineer.content()
    engineer.get_by_test_id("show-key").click()
    assert engineer.content().count(key) == 1
    engineer.get_by_test_id("show-key").click()
    assert "glsa_" not in engineer.content()


def test_without_the_clipboard_the_key_is_selected_and_the_page_says_so(
    engineer: Page,
) -> None:
    engineer.context.clear_permissions()
    engineer.context.grant_permissions(["geolocation"])  # Chromium denies all that is not named
    request_token(engineer)
    key = key_on(engineer)
    engineer.get_by_test_id("copy-key").click()
    expect(says(engineer, "refused the clipboard")).to_be_visible()
    expect(key_element(engineer)).to_have_text(key)
    assert engineer.evaluate("getSelection().toString()") == key


SELECT = "(element) => getSelection().selectAllChildren(element)"


def copy_by_hand(page: Page, test_id: str) -> None:
    """Select an element and press Ctrl+C."""
    page.get_by_test_id(test_id).evaluate(SELECT)
    page.keyboard.press("Control+c")


def leave(page: Page, *, asks: bool) -> None:
    """Press a link that leads away, and see whether the page asks first; it stays open then."""
    with page.expect_event("dialog" if asks else "request"):
        page.get_by_role("link", name="My tokens").first.click()


def test_only_the_key_itself_counts_as_taken(engineer: Page) -> None:
    asked = dialogs_dismissed_on(engineer)
    request_token(engineer)
    copy_by_hand(engineer, "token-key")
    assert "glsa_" not in clipboard(engineer)
    leave(engineer, asks=True)  # dots are no key
    copy_by_hand(engineer, "snippet-curl")
    assert "curl" in clipboard(engineer)
    leave(engineer, asks=True)  # nor is a command
    engineer.get_by_role("button", name="Copy curl").click()
    expect(says(engineer, "The key is not in it")).to_be_visible()
    leave(engineer, asks=True)
    engineer.get_by_test_id("show-key").click()
    leave(engineer, asks=True)  # shown is not taken
    copy_by_hand(engineer, "token-key")
    assert KEY.fullmatch(clipboard(engineer))
    leave(engineer, asks=False)
    assert asked == ["beforeunload"] * 4


def test_leaving_before_the_key_is_copied_asks_first(engineer: Page) -> None:
    request_token(engineer)
    key = key_on(engineer)
    # Browsers ask only on pages that the person has touched.
    engineer.get_by_test_id("show-key").click()

    asked = dialogs_dismissed_on(engineer)
    with engineer.expect_event("dialog"):
        engineer.get_by_role("link", name="My tokens").first.click()
    assert asked == ["beforeunload"]
    assert key_on(engineer) == key


def test_leaving_after_the_key_is_copied_does_not_ask(engineer: Page) -> None:
    asked = dialogs_dismissed_on(engineer)
    request_token(engineer)
    take_key(engineer)
    engineer.get_by_role("link", name="My tokens").first.click()
    expect(engineer).to_have_url(re.compile(r"/tokens/$"))
    assert asked == []
