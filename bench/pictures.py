"""Every page in both themes at three widths, into docs/pictures (``make pictures``).

The product is the one that ``make run`` starts, with its demo people; what stands on the pages was
done by them a moment before. Chromium itself makes WebP of what it has drawn.
"""

import base64
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Page, expect

from bench.journeys import ADMIN, ENGINEER, LEAD, LEAVER, Stage, stage
from tests.browser.steps import (
    fill_in,
    key_on,
    new_name,
    open_act,
    open_form,
    request_token,
    submit,
)

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
WIDTHS = (360, 768, 1280)
SCHEMES = ("light", "dark")
HEIGHT = 900
TALLEST = 2000
"""Pixels: the end of a long list says nothing that its beginning does not."""
QUALITY = 0.55
TO_WEBP = """
async ([png, quality]) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext("2d").drawImage(image, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality });
  let text = "";
  for (const byte of new Uint8Array(await blob.arrayBuffer())) text += String.fromCharCode(byte);
  return btoa(text);
}
"""

Scene = tuple[str, Page]


def before_sign_in(here: Stage) -> Iterator[Scene]:
    page = here.stranger()
    for name, path in (("sign-in", "login"), ("forgotten-password", "password/reset")):
        page.goto(f"{here.live.url}/accounts/{path}/")
        yield name, page


def of_an_engineer(here: Stage) -> Iterator[Scene]:
    page = here.list_of(ENGINEER)
    page.evaluate("localStorage.clear()")  # what was asked for last is not chosen
    open_form(page)
    yield "form", page
    page.get_by_role("button", name="Request token").click()
    expect(page.locator("#error-summary")).to_be_visible()
    yield "form-with-errors", page
    fill_in(page, "nightly-backup", lifetime="7 days", reason="CI of grafana-backup-nightly")
    yield "form-filled-in", page
    submit(page)
    key_on(page)
    yield "key-masked", page
    page.get_by_test_id("show-key").click()
    page.get_by_test_id("copy-key").click()
    yield "key-copied", page
    page.get_by_role("textbox", name="Place", exact=True).fill("eks-prod-7")
    page.get_by_role("button", name="Write it down").click()
    page.reload()
    yield "token", page
    open_act(page, "Revoke…")
    yield "token-more", page
    page.get_by_role("link", name="Replace: lost or leaked").click()
    expect(page.get_by_test_id("reissue-form")).to_be_visible()
    page.get_by_label("It has leaked").check()
    yield "replace-leaked", page
    for name, path in (
        ("my-tokens", "/tokens/"),
        ("find-by-key", "/audit/find/"),
        ("access-of-mine", "/access/"),
        ("sessions", "/accounts/sessions/"),
        ("theme-and-time-zone", "/accounts/display/"),
        ("renew-several", "/tokens/renew/"),
        ("second-factors", "/accounts/2fa/"),
        ("nothing-here", "/nothing-here/"),
    ):
        page.goto(f"{here.live.url}{path}")
        yield name, page


def of_a_lead(here: Stage) -> Iterator[Scene]:
    here.token(LEAVER)
    here.token(LEAVER)
    here.apply_access(approval="always")
    engineer = here.list_of(ENGINEER)
    names = [request_token(engineer, new_name(), reason="CI of dashboards") for _ in range(2)]
    yield "waiting-for-approval", engineer
    here.apply_access(without=LEAVER, approval="always")
    page = here.list_of(LEAD)
    yield "my-tokens-of-a-lead", page
    page.goto(f"{here.live.url}/team/platform/")
    yield "desk", page
    page.get_by_role("button", name=f"Approve {names[0]}").click()
    expect(page.get_by_text(f"Approved: {names[0]}")).to_be_visible()
    yield "desk-after-approving", page
    page.get_by_role("link", name="Hand over or replace those of").click()
    expect(page.get_by_role("heading", name="Hand over what")).to_be_visible()
    yield "leaving", page
    page.goto(f"{here.live.url}/team/platform/?person={LEAVER}")
    page.get_by_role("button", name=f"Revoke everything of {LEAVER}…").click()
    expect(page.get_by_test_id("preview-table")).to_be_visible()
    yield "revoke-many", page
    engineer.goto(f"{here.live.url}/tokens/")
    engineer.get_by_role("link", name=names[0]).click()
    expect(engineer.get_by_role("button", name="Make my key now")).to_be_visible()
    yield "collect", engineer
    here.apply_access()


def of_an_admin(here: Stage) -> Iterator[Scene]:
    page = here.list_of(ADMIN)
    for name, path in (
        ("audit", "/audit/"),
        ("audit-as-of", f"/audit/?as_of={datetime.now(UTC):%Y-%m-%dT%H:%M:%S}&time_zone=UTC"),
        ("inventory", "/inventory/"),
        ("access", "/access/"),
        ("access-plan", "/access/plan/"),
        ("access-review", "/access/review/"),
    ):
        page.goto(f"{here.live.url}{path}")
        if name == "audit":
            page.locator("[data-charts-place] svg, [data-charts-place] figure").first.wait_for()
        yield name, page
    page.goto(f"{here.live.url}/audit/")
    page.get_by_test_id("audit-table").locator("tbody a").first.click()
    expect(page.get_by_text("Its place in the chain")).to_be_visible()
    yield "audit-event", page


TOURS: tuple[Callable[[Stage], Iterator[Scene]], ...] = (
    before_sign_in,
    of_an_engineer,
    of_a_lead,
    of_an_admin,
)


def take(page: Page, canvas: Page, name: str) -> None:
    """The page as it stands, six times."""
    page.wait_for_load_state()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of its words
            tall: int = page.evaluate("document.documentElement.scrollHeight")
            clip = {"x": 0, "y": 0, "width": width, "height": min(max(tall, 500), TALLEST)}
            png = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]  # one of its words
            webp = canvas.evaluate(TO_WEBP, [base64.b64encode(png).decode(), QUALITY])
            (PICTURES / f"{name}-{width}-{scheme}.webp").write_bytes(base64.b64decode(webp))
    page.set_viewport_size({"width": WIDTHS[-1], "height": HEIGHT})


def main() -> None:
    expect.set_options(timeout=60_000)
    PICTURES.mkdir(parents=True, exist_ok=True)
    wanted = set(sys.argv[1:])
    with stage() as here:
        canvas = here.stranger()
        for number in range(3):
            here.token(reason=("CI of dashboards", "", "a screen on the wall")[number])
        for tour in TOURS:
            for name, page in tour(here):
                if not wanted or name in wanted:
                    take(page, canvas, name)
                    print(name, flush=True)


if __name__ == "__main__":
    main()
