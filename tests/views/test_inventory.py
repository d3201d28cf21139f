"""The inventory's page: AMG's own list beside ours. Who may open it stands in rights.py."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from portal.models import Drift, ListedToken, ServiceAccount, State, Token, User
from portal.views.inventory import index as inventory
from tests import big_catalog
from tests.conftest import Catalog
from tests.reading import words

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(
    auditor: User, sign_in: Callable[[User], Client], settings: Settings
) -> Callable[..., str]:
    settings.INVENTORY_SECONDS = 900
    client = sign_in(auditor)

    def page(**query: Any) -> str:
        answer = client.get("/inventory/", query)
        assert answer.status_code == 200
        return words(answer.content.decode())

    return page


@pytest.fixture
def listed(catalog: Catalog) -> Callable[..., ListedToken]:
    def listed(account: ServiceAccount, aws_id: str, name: str, **fields: Any) -> ListedToken:
        ServiceAccount.objects.filter(pk=account.pk).update(listed_at=timezone.now())
        if fields.get("drift"):
            fields["found_at"] = timezone.now()
        return ListedToken.objects.create(
            service_account=account, aws_id=aws_id, name=name, **fields
        )

    return listed


def test_what_was_issued_here_leads_to_its_record(
    page: Callable[..., str],
    listed: Callable[..., ListedToken],
    catalog: Catalog,
    make_token: Callable[..., Token],
    engineer: User,
) -> None:
    token = make_token(engineer, state=State.ACTIVE, aws_token_id="7")
    listed(catalog.deployer, "7", token.name)
    listed(catalog.mobile_account, "7", "of another workspace", drift=Drift.FOREIGN)
    html = page()
    assert html.count(f'href="/tokens/{token.pk}/"') == 1
    assert "engineer@example.com" in html
    assert 'data-testid="inventory-table"' in html


def test_what_differs_is_said_first_and_in_words(
    page: Callable[..., str],
    listed: Callable[..., ListedToken],
    catalog: Catalog,
    make_token: Callable[..., Token],
    engineer: User,
) -> None:
    lost = make_token(engineer, state=State.ACTIVE, aws_token_id="7", name="lost")
    listed(catalog.deployer, "7", "lost", drift=Drift.VANISHED)
    listed(catalog.deployer, "8", "by <hand>", drift=Drift.FOREIGN)
    html = page()
    assert "by &lt;hand&gt;" in html
    assert "Somebody made it outside this portal" in html
    assert "It is active here, and AMG lists it no more" in html
    assert html.count(f'href="/tokens/{lost.pk}/"') == 1, "it is not in AMG's list"
    assert html.index('data-testid="drift-table"') < html.index('data-testid="inventory-table"')


def test_it_can_be_of_one_workspace(
    page: Callable[..., str], listed: Callable[..., ListedToken], catalog: Catalog
) -> None:
    listed(catalog.deployer, "8", "here", drift=Drift.FOREIGN)
    listed(catalog.mobile_account, "9", "there", drift=Drift.FOREIGN)
    html = page(workspace=catalog.workspace.aws_id)
    assert (">here<" in html, ">there<" in html) == (True, False)
    for odd in ("g-ffffffffff", "\0", "🙂"):
        page(workspace=odd, page=odd)


def test_it_says_what_could_not_be_read(
    page: Callable[..., str], catalog: Catalog, settings: Settings
) -> None:
    assert "3 service accounts have no list, or only an old one" in page()
    assert "Nothing yet." in page()
    ServiceAccount.objects.update(listed_at=timezone.now())
    html = page()
    assert "no list" not in html
    assert "every token that AMG lists was issued here" in html
    ServiceAccount.objects.filter(pk=catalog.deployer.pk).update(
        listed_at=timezone.now() - timedelta(hours=1)
    )
    assert "1 service account has no list, or only an old one" in page()
    settings.INVENTORY_SECONDS = 0
    assert "switched off" in page()


def test_a_long_list_goes_on_over_pages(
    page: Callable[..., str],
    listed: Callable[..., ListedToken],
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inventory, "PER_PAGE", 2)
    for number in range(3):
        listed(catalog.deployer, str(number), f"token-{number}")
    first = page()
    assert "token-1" in first
    assert "token-2" not in first
    [following] = re.findall(r'rel="next" href="\?page=(after-0-\d+)"', first)
    for asked in (following, "2", "99"):
        assert "token-2" in page(page=asked)
    of_one = page(workspace=catalog.workspace.aws_id)
    assert 'rel="next" href="?workspace=g-00000000a1&amp;page=after-0-' in of_one


def test_what_differs_comes_newest_first_whatever_its_kind(
    page: Callable[..., str], listed: Callable[..., ListedToken], catalog: Catalog
) -> None:
    now = timezone.now()
    for number, drift in enumerate((Drift.FOREIGN, Drift.VANISHED, Drift.FOREIGN)):
        entry = listed(catalog.deployer, str(number), f"found-{number}", drift=drift)
        ListedToken.objects.filter(pk=entry.pk).update(found_at=now + timedelta(hours=number))
    html = page().partition('data-testid="inventory-table"')[0]
    assert re.findall(r"found-\d", html) == ["found-2", "found-1", "found-0"]
    assert 'What differs <span class="count">3</span>' in html


def test_what_differs_comes_a_page_at_a_time_each_once(
    page: Callable[..., str], catalog: Catalog
) -> None:
    now = timezone.now()
    ListedToken.objects.bulk_create(
        ListedToken(
            service_account=catalog.deployer,
            aws_id=str(number),
            name=f"found-{number:02}",
            drift=Drift.FOREIGN,
            found_at=now - timedelta(minutes=number // 2),
        )
        for number in range(60)
    )
    seen: list[str] = []
    asked: dict[str, str] = {}
    while True:
        html = page(**asked).partition('data-testid="inventory-table"')[0]
        seen += re.findall(r"<bdi>(found-\d\d)</bdi>", html)
        further = re.search(r'rel="next" href="\?found=([^"]+)"', html)
        if further is None:
            break
        asked = {"found": further[1]}
    assert len(seen) == len(set(seen)) == 60
    assert 'What differs <span class="count">60</span>' in html
    assert 'rel="prev"' in html
    assert page(found="after-9-x").count("<bdi>found-") >= 25, "what is no place is the first page"


def test_a_large_catalog_takes_as_few_questions_and_fits_on_a_page(
    page: Callable[..., str], listed: Callable[..., ListedToken], catalog: Catalog
) -> None:
    listed(catalog.deployer, "1", "here")
    with CaptureQueriesContext(connection) as few:
        page()
    big_catalog.make(500, 4)
    accounts = list(ServiceAccount.objects.filter(workspace__connection__name="big"))
    ListedToken.objects.bulk_create(
        ListedToken(service_account=one, aws_id=f"{n}", name=f"t-{n}", drift=drift, found_at=at)
        for n, one in enumerate(accounts)
        for drift, at in [(Drift.FOREIGN, timezone.now()) if n % 2 else ("", None)]
    )
    with CaptureQueriesContext(connection) as many:
        html = page()
    assert len(many) <= len(few) + 4, "how many there are, what differs, and our rows beside it"
    assert html.count('<option value="g-') == 100
    assert 'data-options-url="/inventory/workspaces/"' in html
    assert "1,000 or more service accounts have no list" in html
    assert 'What differs <span class="count">1,000</span>' in html
    assert ' list <span class="count">more than 1,000</span>' in html
    assert len(html) < 250_000
    asked = page(workspace="g-a0000001f3")
    assert '<option value="g-a0000001f3" selected>observability-00499' in asked


def test_workspaces_are_found_by_name_or_id(
    auditor: User, sign_in: Callable[[User], Client], catalog: Catalog
) -> None:
    client = sign_in(auditor)
    for text, found in (("RET", ["g-00000000b2"]), ("a1", ["g-00000000a1"]), ("\0x", [])):
        told = client.get("/inventory/workspaces/", {"q": text}).json()
        assert [one["value"] for one in told["options"]] == found


def test_the_way_there_is_for_those_who_may_go(
    auditor: User, engineer: User, sign_in: Callable[[User], Client]
) -> None:
    for user, offered in ((auditor, True), (engineer, False)):
        html = words(sign_in(user).get("/tokens/").content.decode())
        assert ('href="/inventory/"' in html) == offered
