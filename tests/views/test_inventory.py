"""The inventory's page: AMG's own list beside ours. Who may open it stands in rights.py."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.models import Drift, ListedToken, ServiceAccount, State, Token, User
from portal.views import inventory
from tests.conftest import Catalog

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
        return str(answer.content.decode())

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
    assert "Page 1 of 2" in page()
    assert "token-2" in page(page=2)


def test_the_way_there_is_for_those_who_may_go(
    auditor: User, engineer: User, sign_in: Callable[[User], Client]
) -> None:
    for user, offered in ((auditor, True), (engineer, False)):
        html = sign_in(user).get("/tokens/").content.decode()
        assert ('href="/inventory/"' in html) == offered
