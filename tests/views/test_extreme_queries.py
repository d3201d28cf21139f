"""Whatever stands in a query: no page breaks over it."""

import pytest

from tests.views.extremes import ADMINS_LISTS, AUTOCOMPLETE, PARTS, Walk

pytest_plugins = ["tests.views.walking"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_query_breaks_a_page(walk: Walk, part: int) -> None:
    for path, url in walk.urls(part):
        address = walk.filled(path)
        usual = AUTOCOMPLETE if "autocomplete" in path else {}
        for group in walk.answered_alike("get", path, address, usual):
            if url.endswith(("_changelist", ":autocomplete")) and group.status == 200:
                group.names |= ADMINS_LISTS
            walk.try_all(group, "get", address, usual, path)
    walk.assert_whole()
