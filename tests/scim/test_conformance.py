"""The endpoint, judged by scim2-tester."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from pytest_django.fixtures import SettingsWrapper
from pytest_django.live_server_helper import LiveServer
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from tests.scim.conftest import TOKEN


@pytest.mark.django_db(transaction=True)
def test_scim2_tester_finds_nothing(
    live_server: LiveServer, settings: SettingsWrapper, enqueued: list[tuple[str, str]]
) -> None:
    settings.SCIM_TOKEN, settings.PORTAL_ORIGIN = TOKEN, live_server.url
    with httpx2.Client(
        base_url=f"{live_server.url}/scim/v2", headers={"Authorization": f"Bearer {TOKEN}"}
    ) as http:
        results = check_server(SyncSCIMClient(http))
    wrong = [one for one in results if one.status in (Status.ERROR, Status.CRITICAL)]
    assert [(one.title, one.reason, one.data) for one in wrong] == []
    assert len([one for one in results if one.status == Status.SUCCESS]) > 40
