"""AMG's quota of a workspace: how full it is, what is refused, and what could go."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from portal.models import Drift, ListedToken, ServiceAccount, State, Token, User
from tests.conftest import Catalog
from tests.person import KeyPair
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    cache.clear()


@pytest.fixture
def foreign(catalog: Catalog) -> Callable[..., ListedToken]:
    def foreign(account: ServiceAccount, number: int, **fields: Any) -> ListedToken:
        later = timezone.now() + timedelta(days=1)
        fields = {"drift": Drift.FOREIGN, "found_at": timezone.now(), "expires_at": later} | fields
        return ListedToken.objects.create(
            service_account=account, aws_id=str(number), name=f"foreign-{number}", **fields
        )

    return foreign


def gauges(client: Client, **query: str) -> dict[str, dict[str, str]]:
    html = client.get("/inventory/", query).content.decode()
    found = [
        dict(re.findall(r'data-([a-z]+)="([^"]*)"', tag))
        for tag in re.findall(r"<li [^>]*data-testid=\"quota\"[^>]*>", html)
    ]
    return {one["workspace"]: one for one in found}


def ask(client: Client, post: Post, keys: KeyPair, name: str = "new") -> Any:
    return post(
        client,
        "/tokens/new/",
        workspace="g-00000000a1",
        service_account="2",
        name=name,
        seconds_to_live="3600",
        public_key=keys.public,
    )


def test_a_gauge_says_what_fills_a_workspace(
    admin: User,
    lead: User,
    engineer: User,
    catalog: Catalog,
    make_token: Callable[..., Token],
    foreign: Callable[..., ListedToken],
    sign_in: Callable[[User], Client],
    settings: Any,
) -> None:
    settings.TOKEN_QUOTA = 10
    for state in (State.ACTIVE, State.SEALED, State.QUEUED, State.REVOKED):
        make_token(engineer, state=state, may_exist_at_aws=False)
    make_token(engineer, state=State.EXPIRED, may_exist_at_aws=True)
    foreign(catalog.admin_account, 1)
    foreign(catalog.mobile_account, 2)
    found = gauges(sign_in(admin))
    assert set(found) == {"g-00000000a1", "g-00000000b2"}
    told = found["g-00000000a1"]
    numbers = {name: told[name] for name in ("live", "requested", "expired", "foreign", "free")}
    assert numbers == {"live": "2", "requested": "1", "expired": "1", "foreign": "1", "free": "5"}
    assert set(gauges(sign_in(lead))) == {"g-00000000a1"}
    assert set(gauges(sign_in(admin), workspace="g-00000000b2")) == {"g-00000000b2"}


def test_it_warns_from_80_per_cent_on(
    admin: User,
    catalog: Catalog,
    foreign: Callable[..., ListedToken],
    sign_in: Callable[[User], Client],
    settings: Any,
) -> None:
    settings.TOKEN_QUOTA = 5
    client = sign_in(admin)
    for number, warned in ((3, False), (4, True)):
        while ListedToken.objects.count() < number:
            foreign(catalog.deployer, ListedToken.objects.count())
        cache.clear()
        assert ("nearly full" in client.get("/inventory/").content.decode()) == warned
    told = client.get("/metrics").content.decode()
    assert "portal_token_quota 5.0" in told
    assert 'portal_workspace_tokens{kind="foreign",workspace="g-00000000a1"} 4.0' in told


def test_what_nobody_here_issued_fills_the_quota_and_a_request_is_refused_before_aws_is_asked(
    engineer: User,
    lead: User,
    outsider: User,
    catalog: Catalog,
    make_token: Callable[..., Token],
    foreign: Callable[..., ListedToken],
    sign_in: Callable[[User], Client],
    post: Post,
    keys: KeyPair,
    settings: Any,
) -> None:
    settings.TOKEN_QUOTA = 5
    earlier = timezone.now() - timedelta(days=3)
    make_token(engineer, name="idle", state=State.ACTIVE, delivered_at=earlier)
    make_token(lead, name="of-lead", state=State.ACTIVE, delivered_at=earlier)
    make_token(engineer, name="busy", state=State.ACTIVE, delivered_at=earlier,
               last_used_at=timezone.now())  # fmt: skip
    foreign(catalog.admin_account, 1, expires_at=earlier)
    client = sign_in(engineer)
    assert ask(client, post, keys).status_code == 302, "there is one place left"
    answer = ask(client, post, keys, "one-too-many")
    assert answer.status_code == 422
    html = re.sub(r"\s+", " ", answer.content.decode())
    assert "This workspace is full: 5 of 5 tokens are used." in html
    assert "idle of engineer@example.com (no use seen): you can." in html
    assert "of-lead of lead@example.com (no use seen): its owner, or a lead of the team." in html
    assert "1 token not issued here, 1 of them expired: an admin, or a lead" in html
    assert "busy of" not in html
    assert not Token.objects.filter(name="one-too-many").exists()


def test_other_teams_tokens_are_counted_and_not_named(
    engineer: User,
    outsider: User,
    catalog: Catalog,
    make_token: Callable[..., Token],
    sign_in: Callable[[User], Client],
    post: Post,
    keys: KeyPair,
    settings: Any,
) -> None:
    settings.TOKEN_QUOTA = 1
    earlier = timezone.now() - timedelta(days=3)
    make_token(outsider, name="hush", state=State.ACTIVE, delivered_at=earlier)
    html = ask(sign_in(engineer), post, keys).content.decode()
    assert "1 unused token of other teams: their leads, or an admin." in html
    assert "hush" not in html
    assert "outsider" not in html
    Token.objects.update(last_used_at=timezone.now())
    assert (
        "a lead of its team or an admin ends it."
        in ask(sign_in(engineer), post, keys).content.decode()
    )


def test_the_form_knows_that_a_workspace_is_full_of_others(
    engineer: User,
    catalog: Catalog,
    foreign: Callable[..., ListedToken],
    sign_in: Callable[[User], Client],
    settings: Any,
) -> None:
    settings.TOKEN_QUOTA = 1
    foreign(catalog.deployer, 1)
    client = sign_in(engineer)
    assert "This workspace is full" in client.get("/tokens/new/").content.decode()
    told = client.get("/tokens/accounts/", {"workspace": "g-00000000a1"}).json()
    assert "This workspace is full" in told["workspace"]["obstacle"]
