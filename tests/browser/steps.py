"""What a person does on the pages, and sees there."""

import re
import secrets

from playwright.sync_api import Locator, Page, expect

TOKEN_PAGE = re.compile(r"/tokens/[0-9a-f-]{36}/$")

STORED = """
async () => {
  const records = [];
  for (const { name } of await indexedDB.databases()) {
    const database = await new Promise((resolve, reject) => {
      const request = indexedDB.open(name);
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    for (const store of database.objectStoreNames) {
      records.push(...await new Promise((resolve, reject) => {
        const request = database.transaction(store).objectStore(store).getAllKeys();
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      }));
    }
    database.close();
  }
  return records;
}
"""


HELD_KEY_PAIR = """
const generateKey = crypto.subtle.generateKey.bind(crypto.subtle);
const held = new Promise((resolve) => {
  window.finishKeyPair = async () => { await made; resolve(); };
});
let made;
crypto.subtle.generateKey = async (...asked) => {
  made = generateKey(...asked);
  const pair = await made;
  await held;
  return pair;
};
"""
"""A slow machine makes a key pair: it takes until ``finishKeyPair`` is called."""


def new_name() -> str:
    """A name that no other test uses."""
    return f"first-light-{secrets.token_hex(4)}"


def choose(page: Page, label: str, words: str) -> None:
    """Choose the option with these words in a select."""
    select = page.get_by_label(label, exact=True)
    select.select_option(select.locator("option", has_text=words).get_attribute("value"))


def expect_chosen(page: Page, label: str, words: str) -> None:
    """The select shows the option with these words."""
    chosen = page.get_by_label(label, exact=True).locator("option:checked")
    expect(chosen).to_contain_text(words)


def open_form(page: Page) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="New token").click()


def fill_in(
    page: Page,
    name: str,
    *,
    workspace: str = "observability-prod",
    account: str = "dashboards-ci",
    lifetime: str = "1 hour",
    reason: str = "",
) -> None:
    """Fill in the request form; ``lifetime`` is a preset."""
    choose(page, "Workspace", workspace)
    choose(page, "Service account", account)
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name=lifetime, exact=True).click()
    page.get_by_label("What uses it").fill(reason)


def submit(page: Page) -> None:
    """Send the form, and land on the token's page."""
    page.get_by_role("button", name="Request token").click()
    expect(page).to_have_url(TOKEN_PAGE)


def request_token(page: Page, name: str = "", **fields: str) -> str:
    """Ask for a token and land on its page; returns its name."""
    name = name or new_name()
    open_form(page)
    fill_in(page, name, **fields)
    submit(page)
    return name


def open_act(page: Page, summary: str) -> None:
    """Unfold what a token's page has under "More", such as "Revoke…"."""
    act = page.locator("[data-more] summary", has_text=summary)
    expect(act).to_be_attached()
    if not act.is_visible():
        page.locator("[data-more] > summary").click()
    act.click()


def says(page: Page, words: str) -> Locator:
    """Where the page says this to everybody, screen readers included (a live region)."""
    return page.get_by_role("status").filter(has_text=words)


def key_element(page: Page) -> Locator:
    return page.get_by_test_id("token-key")


def key_on(page: Page) -> str:
    """The key, as soon as the page has it: shown, and hidden again if it was hidden."""
    expect(key_element(page)).to_be_attached()
    show = page.get_by_test_id("show-key")
    is_hidden = show.get_attribute("aria-pressed") == "false"
    if is_hidden:
        show.click()
    key = key_element(page).text_content() or ""
    if is_hidden:
        show.click()
    return key


def take_key(page: Page) -> str:
    """Copy the key, so that the page may be left."""
    key = key_on(page)
    page.get_by_test_id("copy-key").click()
    expect(says(page, "Copied")).to_be_visible()
    return key


def expect_state(page: Page, state: str) -> None:
    expect(page.get_by_test_id("token-state")).to_have_attribute("data-state", state)


def expect_message(page: Page, words: str | re.Pattern[str]) -> None:
    """Wait until the progress says this."""
    expect(page.get_by_label("Progress").get_by_role("status").first).to_contain_text(words)


def expect_no_key(page: Page) -> None:
    """The page has no key; call it once the page has said what is the case instead."""
    expect(key_element(page)).to_have_count(0)
    assert "glsa_" not in page.content()


def stored_records(page: Page) -> list[str]:
    """The keys of all records in the browser's IndexedDB: SHA-256 hashes of public keys."""
    found: list[str] = page.evaluate(STORED)
    return found


def web_storage(page: Page) -> dict[str, str]:
    """Everything in localStorage and sessionStorage."""
    found: dict[str, str] = page.evaluate("({ ...localStorage, ...sessionStorage })")
    return found


def typed_or_secret(page: Page) -> dict[str, str]:
    """What web storage has beside the last request's choices, which stay in a browser."""
    return {k: v for k, v in web_storage(page).items() if not k.startswith("last-request:")}
