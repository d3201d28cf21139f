"""Whatever stands in an address where a number, a slug or an id should: no page breaks over it."""

import pytest

from tests.views.extremes import PARTS, Walk

pytest_plugins = ["tests.views.walking"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_address_breaks_a_page(walk: Walk, part: int) -> None:
    for path, _ in walk.urls(part):
        for method in ("get",) if path.startswith("/admin/") else ("get", "post"):
            for group in walk.answered_alike(method, path, walk.filled(path), {}):
                walk.try_in_path(group, method, path)
    walk.assert_whole()
