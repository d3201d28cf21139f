"""A lead who needs approval as everybody does: before and after the press they are told whose."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.live import Live
from tests.browser.steps import fill_in, new_name, open_form, submit

ASKED_LONG_AGO = """
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from portal.models import Notice
Notice.objects.filter(token__name="{name}").update(created_at=timezone.now() - timedelta(hours=2))
"""


def test_a_lead_who_asks_for_a_token_of_their_own_is_told_who_decides_and_can_remind_them(
    live: Live, page_of: Callable[[str], Page], apply_access: Callable[..., None]
) -> None:
    lead = page_of("lead@example.com")
    apply_access(approval="always", leads="lead@example.com, other-lead@example.com")
    open_form(lead)
    fill_in(lead, new_name())
    expect(lead.get_by_text("Needs approval. other-lead@example.com has to agree")).to_be_visible()

    apply_access(approval="always")  # nobody else leads the team: an admin decides
    open_form(lead)
    name = new_name()
    fill_in(lead, name)
    expect(lead.get_by_text("Needs approval. admin@example.com has to agree")).to_be_visible()
    submit(lead)
    waiting = lead.get_by_role("region", name="Who decides")
    expect(waiting).to_contain_text("admin@example.com has to agree. Mailed")
    expect(waiting.get_by_role("time")).to_contain_text("ago")
    expect(waiting.get_by_label("A link to send them")).to_have_value(lead.url)
    expect(waiting).to_contain_text("After an hour without an answer")
    expect(lead.get_by_role("button", name=re.compile("Remind|Approve"))).to_have_count(0)

    live.run(ASKED_LONG_AGO.format(name=name))
    lead.reload()
    waiting.get_by_role("button", name="Remind them").click()
    expect(lead.get_by_text("Reminded: admin@example.com.")).to_be_visible()

    admin = page_of("admin@example.com")
    admin.goto(lead.url)
    expect(admin.get_by_role("button", name="Approve", exact=True)).to_be_visible()
