"""Ending several tokens from the desk: what each of them is to whom is seen before the press."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.steps import new_name
from tests.grafana.sandbox_process import STAGING
from tests.person import KeyPair

LAST_USED = """
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from portal.models import Token
for name, minutes in {uses}.items():
    used = timezone.now() - timedelta(minutes=minutes)
    Token.objects.filter(name=name).update(last_used_at=used)
"""


def test_the_look_before_ending_several_says_of_each_its_last_use_its_end_and_what_uses_it(
    live: Live, page_as: Callable[[str], Page]
) -> None:
    engineer, pair = live.product.sign_in("engineer@example.com"), KeyPair()
    shared = new_name()
    never, long_ago, just_now = (f"{shared}-{when}" for when in ("a", "b", "c"))
    [account, *_] = engineer.get(f"/tokens/accounts/?workspace={STAGING}").json()["accounts"]
    for name, uses in ((never, ""), (long_ago, "load tests"), (just_now, "nightly backup")):
        wanted = engineer.request(
            pair,
            workspace=STAGING,
            service_account=account["id"],
            name=name,
            seconds_to_live="7200",
            reason=uses,
        )
        engineer.take(pair, wanted)
    live.run(LAST_USED.format(uses={long_ago: 3 * 1440, just_now: 3}))

    lead = page_as("lead@example.com")
    lead.goto(f"/team/platform/?q={shared}")
    for name in (never, long_ago, just_now):
        lead.get_by_label(f"Choose {name}", exact=True).check()
    lead.get_by_role("button", name="Revoke the chosen…").click()

    expect(lead.get_by_text("1 of them was used within the last day.")).to_be_visible()
    rows = lead.get_by_test_id("preview-table").locator("tbody tr")
    expect(rows.locator("th")).to_have_text([just_now, long_ago, never])  # those in use on top
    said = [
        ("3 minutes ago", "nightly backup"),
        ("3 days ago", "load tests"),
        ("no use seen", "not said"),
    ]
    for width in (360, 1280):
        lead.set_viewport_size({"width": width, "height": 800})
        for row, (last_use, what_uses_it) in zip(rows.all(), said, strict=True):
            cells = {label: row.locator(f"td[data-label='{label}']") for label in LABELS}
            expect(cells["Last used"]).to_contain_text(last_use)
            expect(cells["What uses it"]).to_contain_text(what_uses_it)
            expect(cells["Ends"]).to_contain_text("in 2 hours")
            for cell in cells.values():
                expect(cell).to_be_visible()


LABELS = ("Last used", "What uses it", "Ends")
