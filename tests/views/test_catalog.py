"""What the request form asks for and carries: as much of a large catalog as somebody needs."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from portal import policy
from portal.models import (
    Grant,
    Membership,
    ServiceAccount,
    State,
    Team,
    Token,
    User,
    Workspace,
)
from portal.views.tokens import catalog as catalog_views
from tests import big_catalog
from tests.conftest import Catalog
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db

FORM, ACCOUNTS, WORKSPACES = "/tokens/new/", "/tokens/accounts/", "/tokens/workspaces/"
MOST_BYTES = 150_000


@pytest.fixture
def browser(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


def asked(client: Client, path: str, **query: str) -> tuple[int, Any]:
    answer = client.get(path, query)
    return answer.status_code, answer.json()


# -- The accounts of a workspace ----------------------------------------------------------------


def test_a_workspace_is_answered_with_its_accounts_that_one_may_ask_for(
    browser: Client, catalog: Catalog
) -> None:
    status, told = asked(browser, ACCOUNTS, workspace=catalog.workspace.aws_id)
    assert status == 200
    assert told["workspace"] == {
        "id": "g-00000000a1",
        "name": "observability",
        "obstacle": "",
        "is_full": False,
        "way_out": "",
        "unread": "",
        "room": "0 of 100 tokens used.",
    }
    deployer, provisioner = told["accounts"]
    assert deployer == {
        "id": "2",
        "name": "deployer",
        "role": "EDITOR",
        "obstacle": "",
        "teams": [
            {
                "slug": "platform",
                "name": "Platform",
                "max_ttl": 2_592_000,
                "default_ttl": 604_800,
                "reason_required": False,
                "needs_approval": False,
                "who_agrees": "",
                "room": "",
                "limit_reached": "",
            }
        ],
    }
    assert (provisioner["name"], provisioner["role"]) == ("provisioner", "ADMIN")


def test_each_of_ones_teams_stands_beside_an_account_with_its_own_limits(
    browser: Client, catalog: Catalog, engineer: User, mobile: Team
) -> None:
    Membership.objects.create(user=engineer, team=mobile)
    Grant.objects.create(
        team=mobile, workspace=catalog.workspace, service_account=catalog.deployer, max_ttl=60,
        default_ttl=60, max_live=3,
    )  # fmt: skip
    _, told = asked(browser, ACCOUNTS, workspace=catalog.workspace.aws_id)
    deployer, provisioner = told["accounts"]
    assert [(team["slug"], team["max_ttl"]) for team in deployer["teams"]] == [
        ("mobile", 60),
        ("platform", 2_592_000),
    ]
    assert deployer["teams"][0]["room"].endswith("team Mobile has 0 of at most 3.")
    assert [team["slug"] for team in provisioner["teams"]] == ["platform"]


def test_what_stands_in_the_way_is_said_of_workspace_and_account(
    browser: Client, catalog: Catalog
) -> None:
    ServiceAccount.objects.filter(pk=catalog.deployer.pk).update(is_disabled=True)
    _, told = asked(browser, ACCOUNTS, workspace=catalog.workspace.aws_id)
    assert "disabled in Grafana" in told["accounts"][0]["obstacle"]
    assert told["accounts"][1]["obstacle"] == ""
    Workspace.objects.filter(pk=catalog.workspace.pk).update(grafana_version="8.4")
    _, told = asked(browser, ACCOUNTS, workspace=catalog.workspace.aws_id)
    assert "tokens need version 9" in told["workspace"]["obstacle"]


@pytest.mark.parametrize(
    "wanted", ["g-00000000b2", "g-ffffffffff", "", "observability", "\0", "g-00000000a1\0", "🙂"]
)
def test_a_workspace_without_a_grant_is_not_there(
    browser: Client, catalog: Catalog, wanted: str
) -> None:
    status, told = asked(browser, ACCOUNTS, workspace=wanted)
    assert (status, list(told)) == (404, ["message"])


@pytest.mark.parametrize("path", [ACCOUNTS, WORKSPACES])
def test_the_anonymous_are_told_to_sign_in(db: None, path: str) -> None:
    assert asked(Client(), path)[0] == 401


# -- Of a large catalog -------------------------------------------------------------------------


@pytest.fixture
def big(catalog: Catalog, platform: Team) -> None:
    """500 workspaces of 100 accounts beside the small ones, all of them granted."""
    big_catalog.make()
    Grant.objects.create(team=platform)


def pages(client: Client) -> dict[str, str]:
    """The form as it is opened, by a link, and as the answer to one that was refused."""
    link = {"workspace": "g-a0000000c8", "service_account": "7"}
    answers = {
        "opened": client.get(FORM),
        "by a link": client.get(FORM, link),
        "refused": client.post(FORM, link),
    }
    assert [answer.status_code for answer in answers.values()] == [200, 200, 422]
    return {name: answer.content.decode() for name, answer in answers.items()}


@pytest.mark.usefixtures("big")
def test_a_page_of_500_workspaces_of_100_accounts_is_below_150_kilobytes(browser: Client) -> None:
    for name, html in pages(browser).items():
        assert len(html.encode()) < MOST_BYTES, name
        assert html.count('<option value="g-') == 502, "every workspace is there"
        assert html.count("service-account-") in (0, 200), "and the chosen one's accounts"
        assert "data-options-url" not in html, "nothing more has to be asked for"


@pytest.mark.usefixtures("big")
def test_the_chosen_workspace_comes_with_what_it_would_be_asked_for(browser: Client) -> None:
    html = pages(browser)["by a link"]
    found = re.search(r'<script id="chosen-workspace" [^>]*>(.*?)</script>', html)
    assert found is not None
    assert json.loads(found[1]) == asked(browser, ACCOUNTS, workspace="g-a0000000c8")[1]
    assert '<option value="g-a0000000c8" selected>' in html
    assert '<option value="7" selected>service-account-005 · VIEWER</option>' in html


def test_a_large_catalog_takes_as_few_questions_as_a_small_one(
    browser: Client, catalog: Catalog, platform: Team, post: Post
) -> None:
    def questions() -> list[int]:
        wish = {"workspace": catalog.workspace.aws_id, "service_account": catalog.deployer.aws_id}
        counts = []
        for path in (FORM, ACCOUNTS, "/tokens/name/"):
            with CaptureQueriesContext(connection) as queries:
                assert browser.get(path, {**wish, "name": "ci"}).status_code == 200
            counts.append(len(queries))
        with CaptureQueriesContext(connection) as queries:
            assert browser.post(FORM, wish).status_code == 422
        return [*counts, len(queries)]

    small = questions()
    big_catalog.make()
    Grant.objects.bulk_create(
        Grant(team=platform, workspace=one)
        for one in Workspace.objects.exclude(pk=catalog.workspace.pk)
    )
    assert questions() == small


@pytest.mark.usefixtures("big")
def test_a_request_reads_the_chosen_account_and_no_other(
    browser: Client,
    catalog: Catalog,
    post: Post,
    keys: Any,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    fields = {
        "workspace": "g-a0000000c8",
        "service_account": "7",
        "name": "ci",
        "seconds_to_live": "3600",
        "public_key": keys.public,
    }
    read: list[object] = []
    from_db = ServiceAccount.from_db

    def counting(_: Any, /, db: Any, names: Any, values: Any, **more: Any) -> ServiceAccount:
        read.append(values)
        return from_db(db, names, values, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ServiceAccount, "from_db", classmethod(counting))
        with django_assert_max_num_queries(14):
            assert post(browser, FORM, **fields).status_code == 302
    assert len(read) == 1
    assert Token.objects.get().service_account.name == "service-account-005"


# -- Of a catalog that finds no place on a page -------------------------------------------------

LONG_NAME = "-" + "x" * 200


@pytest.fixture(params=["long names", "many"])
def cut(
    request: pytest.FixtureRequest,
    catalog: Catalog,
    platform: Team,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More workspaces than a page has room for, by the length of their names or by number."""
    Grant.objects.create(team=platform)
    if request.param == "long names":
        big_catalog.make(600, 1, name=LONG_NAME)
    else:
        big_catalog.make(1100, 1)


@pytest.mark.usefixtures("cut")
def test_a_page_stays_below_150_kilobytes_and_says_where_the_others_are_found(
    browser: Client,
) -> None:
    html = browser.get(FORM).content.decode()
    assert len(html.encode()) < MOST_BYTES
    assert 300 < html.count('<option value="g-') <= 1000
    assert f'data-options-url="{WORKSPACES}"' in html


@pytest.mark.usefixtures("cut")
def test_a_link_to_a_workspace_that_found_no_place_shows_it(browser: Client) -> None:
    last = Workspace.objects.exclude(name="retail").order_by("-name")[0]
    answer = browser.get(FORM, {"workspace": last.aws_id, "service_account": "2"})
    html = answer.content.decode()
    assert f'<option value="{last.aws_id}" selected>{last.name}' in html
    assert answer.context["catalog"].chosen["accounts"][0]["id"] == "2"
    assert len(html.encode()) < MOST_BYTES


@pytest.mark.usefixtures("cut")
def test_workspaces_are_found_by_what_is_typed(browser: Client) -> None:
    status, told = asked(browser, WORKSPACES, q="LITY-00599")
    assert (status, told["is_cut"]) == (200, False)
    [found] = told["options"]
    assert found["value"] == "g-a000000257"
    assert found["label"].startswith("observability-00599")
    assert found["label"].endswith(" · g-a000000257")
    assert found["reason"] == ""
    _, told = asked(browser, WORKSPACES, q="observability")
    assert (len(told["options"]), told["is_cut"]) == (50, True)


def test_what_is_found_says_what_stands_in_its_way(
    browser: Client, catalog: Catalog, engineer: User, settings: Settings, make_token: Any
) -> None:
    settings.TOKEN_QUOTA = 1
    make_token(engineer, state=State.ACTIVE)
    _, told = asked(browser, WORKSPACES, q="obs")
    assert told["options"][0]["reason"] == "full"


@pytest.mark.parametrize("text", ["\0", "retail", "x" * 5000, "%", "_"])
def test_nobody_finds_workspaces_that_are_not_theirs(
    browser: Client, catalog: Catalog, text: str
) -> None:
    status, told = asked(browser, WORKSPACES, q=text)
    assert status == 200
    assert "retail" not in json.dumps(told)


def test_accounts_that_find_no_place_are_left_to_the_pages_script(
    browser: Client, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_views, "MOST_OF_ACCOUNTS", 500)
    html = browser.get(FORM).content.decode()
    assert "chosen-workspace" not in html
    assert "provisioner" in html, "they can be chosen, and what follows from it is asked for"


def test_what_is_gone_since_a_grant_was_given_is_not_listed(
    browser: Client, catalog: Catalog
) -> None:
    Workspace.objects.filter(pk=catalog.workspace.pk).update(gone_at=timezone.now())
    assert browser.get(FORM).context["catalog"].workspaces == []
    assert policy.offer(User.objects.get(email="engineer@example.com")).workspaces == []
