"""The endpoint, judged by scim2-tester."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import Status, check_server

from tests.views.scim.conftest import TOKEN


def portal(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """The portal in this process: Django's own handler would close the test's connection."""
    answer = Client().generic(
        environ["REQUEST_METHOD"],
        environ["PATH_INFO"],
        environ["wsgi.input"].read(),
        content_type=environ.get("CONTENT_TYPE", ""),
        headers={"Authorization": environ["HTTP_AUTHORIZATION"]},
        QUERY_STRING=environ["QUERY_STRING"],
    )
    start_response(f"{answer.status_code} {answer.reason_phrase}", list(answer.headers.items()))
    return [answer.content]


@pytest.mark.django_db
def test_scim2_tester_finds_nothing(settings: Settings, enqueued: list[tuple[str, str]]) -> None:
    settings.SCIM_TOKEN = TOKEN
    client = WSGISCIMClient(
        portal,
        base_url=f"{settings.PORTAL_ORIGIN}/scim/v2",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    results = check_server(client)
    good = {Status.SUCCESS, Status.COMPLIANT, Status.SKIPPED}
    wrong = [one for one in results if one.status not in good]
    assert [(one.title, one.status, one.reason, one.data) for one in wrong] == []
    assert sum(one.status == Status.SUCCESS for one in results) > 40
