"""Several tokens are renewed at once: no page has several keys, each new one is on its own."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.looks import assert_looks_right, picture
from tests.browser.steps import expect_no_key, expect_state, new_name, says, take_key
from tests.grafana.sandbox_process import STAGING
from tests.person import KeyPair


def test_several_are_chosen_looked_at_and_renewed_and_each_key_comes_on_its_own_page(
    live: Live, page_as: Callable[[str], Page]
) -> None:
    person, pair = live.product.sign_in("engineer@example.com"), KeyPair()
    shared = new_name()
    names = [f"{shared}-{letter}" for letter in "ab"]
    [account, *_] = person.get(f"/tokens/accounts/?workspace={STAGING}").json()["accounts"]
    old_keys = []
    for name in names:
        wanted = person.request(
            pair,
            workspace=STAGING,
            service_account=account["id"],
            name=name,
            seconds_to_live="600",
            reason="nightly backup",
        )
        old_keys.append(person.take(pair, wanted))

    page = page_as("engineer@example.com")
    page.goto("/tokens/")
    page.get_by_role("link", name="Renew several…").click()
    expect(page.get_by_label(f"Choose {names[0]}", exact=True)).to_be_visible()
    assert_looks_right(page)
    for name in names:
        page.get_by_label(f"Choose {name}", exact=True).check()
    expect(says(page, "2 chosen.")).to_be_visible()
    picture(page, "renew-several")
    page.get_by_role("button", name="Renew the chosen…").click()
    look = page.get_by_test_id("look-table")
    expect(look.locator("tbody th")).to_have_count(2)
    assert sorted(look.locator("tbody th").all_inner_texts()) == names
    expect(look.locator("tbody tr").first).to_contain_text("nightly backup")
    assert_looks_right(page)
    picture(page, "renew-look")
    page.get_by_label("Why this change").fill("spring cleaning")
    page.get_by_role("button", name="Renew 2 tokens").click()

    expect(page.get_by_text("2 new tokens can be made.")).to_be_visible()
    expect_no_key(page)
    assert_looks_right(page)
    picture(page, "my-tokens")
    new_keys = []
    for name in names:
        page.goto("/tokens/")
        page.get_by_role("link", name=f"{name}-2", exact=True).first.click()
        expect_state(page, "awaiting_recipient")
        page.get_by_role("button", name="Make my key now").click()
        new_keys.append(take_key(page))
    assert {live.answers_to(key) for key in (*old_keys, *new_keys)} == {200}, "nothing stops"
