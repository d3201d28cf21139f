"""Acts: one comes first on a page, none is lost with a session, and none takes tokens unseen."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.live import Live
from tests.browser.steps import request_token, take_key
from tests.browser.watch import Watch
from tests.views.every_path import STANDS_ON

PRIMARY = "main .button-primary:visible"
ACCENT = "rgb(13, 90, 97)"


def test_a_page_has_one_thing_to_do_first(live: Live, engineer: Page) -> None:
    request_token(engineer)
    take_key(engineer)
    engineer.mouse.move(0, 0)  # it has pressed a button where another one is now
    # The key comes before its renewal.
    expect(engineer.get_by_test_id("copy-key")).to_have_css("background-color", ACCENT)
    renew = engineer.get_by_role("link", name="Renew", exact=True)
    expect(renew).not_to_have_css("background-color", ACCENT)
    expect(engineer.locator("[data-steps]")).to_be_hidden()
    engineer.reload()
    expect(renew).to_have_css("background-color", ACCENT)
    for path in ("", "reissue/"):
        engineer.goto(f"{engineer.url}{path}")
        expect(engineer.locator(PRIMARY)).to_have_count(1)
    for path in ("/tokens/", "/tokens/new/", "/audit/find/"):
        engineer.goto(f"{live.url}{path}")
        expect(engineer.locator(PRIMARY)).to_have_count(1)


POST_TO = """
path => {
  const form = document.createElement("form");
  form.method = "post";
  form.action = path;
  document.body.append(form);
  form.submit();
}
"""


def test_every_act_that_is_sent_after_the_session_s_end_leads_to_a_page(
    live: Live, new_context: Callable[..., BrowserContext], watch: Watch
) -> None:
    """Whose token is made up: nothing happens, and what comes is never the browser's own page."""
    watch.expect_status(404, 403)
    out, within = new_context().new_page(), new_context().new_page()
    live.sign_in(within, "admin@example.com")
    wrong: list[tuple[str, str, object]] = []
    out.goto(f"{live.url}/accounts/login/")
    for path, page in STANDS_ON.items():
        with out.expect_navigation():
            out.evaluate(POST_TO, f"/{path}")
        back = out.locator("[name=next]").first.input_value()
        answer = within.goto(f"{live.url}{back}")
        if back != f"/{page}" or answer is None or answer.status == 405:
            wrong.append((path, back, answer and answer.status))
        if within.get_by_role("navigation", name="Main").count() == 0:
            wrong.append((path, back, "not a page of ours"))
    assert wrong == []


def test_djangos_admin_names_the_tokens_that_a_save_takes_from_somebody(
    live: Live, engineer: Page, new_context: Callable[..., BrowserContext]
) -> None:
    name = request_token(engineer)
    take_key(engineer)
    admin = new_context().new_page()
    live.sign_in(admin, "admin@example.com")
    admin.goto(f"{live.url}/admin/portal/team/")
    admin.get_by_role("link", name="platform").click()
    row = admin.get_by_role("row").filter(has_text="engineer@example.com")
    row.locator("input[name$=-DELETE]").check()
    admin.locator("[name=_save]").click()
    expect(admin.get_by_text("Nothing has been saved yet.")).to_be_visible()
    expect(admin.get_by_role("row").filter(has_text=name)).to_contain_text("works on")
