"""The pages' scripts come in one round trip: what a module imports is asked for beside it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from portal.models import Membership, Role, State, Team, Token, User

pytestmark = pytest.mark.django_db

SCRIPTS = Path(settings.BASE_DIR) / "static" / "js"
IMPORT = re.compile(r'^import .*?"\./([\w-]+)\.js";$', re.MULTILINE)
NAME = r'/static/js/([\w-]+)(?:\.[0-9a-f]{12})?\.js"'


def needed(script: str) -> set[str]:
    """A module and all that it imports, directly or not."""
    found: set[str] = set()
    waiting = {script}
    while waiting:
        one = waiting.pop()
        found.add(one)
        waiting |= set(IMPORT.findall((SCRIPTS / f"{one}.js").read_text())) - found
    return found


@pytest.fixture
def paths(engineer: User, platform: Team, make_token: Callable[..., Token]) -> list[str]:
    token = make_token(engineer, state=State.ACTIVE)
    collectable = make_token(engineer, state=State.AWAITING_RECIPIENT, public_key=b"")
    Membership.objects.filter(user=engineer).update(role=Role.LEAD)
    User.objects.filter(pk=engineer.pk).update(is_auditor=True)
    return [
        "/tokens/",
        "/tokens/new/",
        f"/tokens/{token.pk}/",
        f"/tokens/{collectable.pk}/",
        f"/tokens/{token.pk}/reissue/",
        f"/team/{platform.slug}/",
        "/audit/",
        "/audit/find/",
    ]


def test_every_page_asks_for_all_of_its_modules_at_once(
    paths: list[str], engineer: User, sign_in: Callable[[User], Client]
) -> None:
    client = sign_in(engineer)
    for path in paths:
        page = client.get(path).content.decode()
        scripts = set(re.findall(rf'<script type="module" src="{NAME}', page))
        preloaded = set(re.findall(rf'<link rel="modulepreload" href="{NAME}', page))
        assert scripts, path
        wanted = set[str]().union(*map(needed, scripts))
        assert wanted == scripts | preloaded, path
