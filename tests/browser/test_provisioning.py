"""The company's provider ends somebody whose page waits for a key."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.live import SCIM_TOKEN, Live
from tests.browser.steps import expect_no_key, expect_state, request_token
from tests.browser.watch import Watch

LEAVER = "leaver@example.com"
MADE = f"""
from portal.models import Membership, Team, User
person = User.objects.create_user("{LEAVER}", %r)
Membership.objects.create(user=person, team=Team.objects.get(slug="platform"))
"""


@pytest.fixture
def leaver(live: Live, page: Page) -> Page:
    live.run(MADE % live.product.password)
    live.sign_in(page, LEAVER)
    return page


def end(live: Live) -> None:
    """As Entra does it: look them up, and say that they are not active."""
    url, shown = f"{live.url}/scim/v2/Users", {"Authorization": f"Bearer {SCIM_TOKEN}"}
    query = {"filter": f'userName eq "{LEAVER.upper()}"'}
    [person] = requests.get(url, query, headers=shown, timeout=30).json()["Resources"]
    said = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "Replace", "path": "active", "value": "False"}],
    }
    answer = requests.patch(f"{url}/{person['id']}", json=said, headers=shown, timeout=30)
    assert answer.status_code == 204


def test_a_page_that_waits_for_a_key_never_shows_it(
    live: Live, leaver: Page, page_of: Callable[[str], Page], watch: Watch
) -> None:
    watch.expect_status(401, 410)
    live.hold_aws()
    name = request_token(leaver)
    token = urlsplit(leaver.url).path
    expect_state(leaver, "issuing")
    end(live)
    live.let_aws_go()
    lead = page_of("lead@example.com")
    lead.goto(f"{live.url}{token}")
    expect_state(lead, "revoked")
    expect_no_key(leaver)
    leaver.reload()
    expect(leaver.get_by_role("button", name="Sign in")).to_be_visible()
    expect_no_key(leaver)
    assert live.sandbox.live_tokens(name=name) == []
