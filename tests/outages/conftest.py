"""One portal for all of these tests: each leaves its servers as it found them."""

from collections.abc import Iterator

import pytest

from tests.outages.portal import Portal


@pytest.fixture(scope="session")
def shared_portal() -> Iterator[Portal]:
    with Portal() as portal:
        yield portal


@pytest.fixture
def portal(shared_portal: Portal) -> Portal:
    shared_portal.forget_log()
    return shared_portal
