"""What is refused can be counted: in the log, line by line, and in the metrics."""

import logging
from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from portal.metrics import aws
from portal.models import State, Team, Token, User
from portal.observing import seen
from tests.views.conftest import Post
from tests.views.test_metrics import scraped

pytestmark = pytest.mark.django_db
SignIn = Callable[[User], Client]


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    seen.take()


@pytest.fixture
def token(make_token: Callable[..., Token], engineer: User) -> Token:
    return make_token(engineer, state=State.ACTIVE)


def counted() -> dict[str, float]:
    aws.write()
    series = {kind: f'portal_refusals_total{{kind="{kind}"}}' for kind in NOTHING}
    found = scraped()
    return {kind: found[name] for kind, name in series.items()}


NOTHING = {"forbidden": 0.0, "hidden": 0.0, "limited": 0.0}


def refused(log: pytest.LogCaptureFixture) -> list[object]:
    told = [record.msg for record in log.records if isinstance(record.msg, dict)]
    return [line.get("refused") for line in told if line.get("event") == "request_finished"]


def test_a_token_and_a_team_of_others_are_hidden_and_counted_as_that(
    token: Token,
    outsider: User,
    platform: Team,
    sign_in: SignIn,
    post: Post,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = sign_in(outsider)
    caplog.set_level(logging.INFO)
    hidden = (f"/tokens/{token.pk}/", f"/tokens/{token.pk}/status/", f"/team/{platform.slug}/")
    missing = (f"/tokens/{'0' * 8}-0000-4000-8000-{'0' * 12}/", "/team/none/", "/nowhere/")
    for path in (*hidden, *missing):
        assert client.get(path).status_code == 404
    assert post(client, f"/tokens/{token.pk}/revoke/", reason="mine").status_code == 404
    assert refused(caplog) == ["hidden"] * 3 + [None] * 3 + ["hidden"]
    assert counted() == NOTHING | {"hidden": 4.0}


def test_tokens_of_others_among_those_that_a_lead_ends_are_counted_too(
    token: Token, lead: User, mobile: Team, sign_in: SignIn, post: Post
) -> None:
    Token.objects.update(team=mobile)
    answer = post(sign_in(lead), "/team/platform/revoke/", token=str(token.pk), reason="mine")
    assert answer.status_code == 404
    assert counted() == NOTHING | {"hidden": 1.0}


def test_what_is_forbidden_and_what_is_limited_is_counted(
    token: Token,
    teammate: User,
    sign_in: SignIn,
    post: Post,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    client = sign_in(teammate)
    caplog.set_level(logging.INFO)
    assert post(client, f"/tokens/{token.pk}/revoke/", reason="mine").status_code == 403
    answers = [post(client, "/audit/find/", fingerprint="0" * 64).status_code for _ in range(121)]
    assert answers[-1] == 429
    assert [kind for kind in refused(caplog) if kind] == ["forbidden", "limited"]
    assert counted() == NOTHING | {"forbidden": 1.0, "limited": 1.0}
