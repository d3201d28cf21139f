"""Whatever is sent in a form: no page breaks over it."""

import pytest

from tests.views.extremes import PARTS, Walk

pytest_plugins = ["tests.views.walking"]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("part", range(PARTS))
def test_no_form_breaks_a_page(walk: Walk, part: int) -> None:
    for path, url in walk.urls(part):
        address, usual = walk.filled(path), walk.usual_form(url)
        for group in walk.answered_alike("post", path, address, usual):
            walk.try_all(group, "post", address, usual, path)
    walk.assert_whole()
