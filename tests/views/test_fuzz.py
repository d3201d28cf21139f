"""Whatever is typed into a form or a query, by whomever: never a 500.

Hypothesis makes the values, for every name that a view reads (tests/views/extremes.py tries chosen
ones); often the usual value stands beside, so that what lies behind a check is reached too.
"""

from collections.abc import Mapping, Set
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from portal.models import State
from tests.views.extremes import PARTS, Visitor, Walk
from tests.views.test_rights import QUERY

pytest_plugins = ["tests.views.walking"]
pytestmark = pytest.mark.django_db(transaction=True)

TRIES = 3
"""Of each page and method by each role. The first is the simplest: every value is empty."""
NEVER_SENT = {"csrfmiddlewaretoken"}

LIKELY = st.sampled_from(
    [
        *("platform", "mobile", "nobody", "engineer@example.com", "g-00000000a1", "*", "1", "2"),
        *("on", "replace", "overlap", "owner", "me", "ADMIN", "token.issued", *State.values),
        *("1d 12h", "Fri 18:00", "2026-02-30", "2026-11-28T12:00:00Z", "24:00", "1e9", "Europe/X"),
        *("/tokens/", "//example.com/", "https://example.com/", "javascript:alert(1)", "{}", "[]"),
    ]
)
VALUES = st.one_of(
    st.text(max_size=40),
    st.text("0123456789.:-+TZdhms ", max_size=24),
    st.text("%_\\'\"<>&;\0\u202e\u0301\u00a0 ", max_size=12),
    st.integers().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    LIKELY,
)


def fields(names: Set[str], usual: Mapping[str, str]) -> st.SearchStrategy[dict[str, Any]]:
    """A value or several for each of these names, some left out."""
    one_or_more = st.one_of(VALUES, st.lists(VALUES, max_size=3))
    values = {
        name: st.one_of(st.just(usual[name]), one_or_more) if name in usual else one_or_more
        for name in names
    }
    return st.fixed_dictionaries({}, optional=values)


@pytest.mark.parametrize("part", range(PARTS))
def test_nothing_that_is_typed_breaks_a_page(walk: Walk, part: int) -> None:
    for path, url in walk.urls(part):
        address = walk.filled(path)
        for method, usual in (("get", QUERY.get(url, {})), ("post", walk.usual_form(url))):
            for group in walk.answered_alike(method, path, address, usual):
                for visitor in group.people:
                    _try(visitor, method, address, group.names | set(usual), usual)
    walk.assert_whole()


def _try(
    visitor: Visitor, method: str, address: str, names: Set[str], usual: Mapping[str, str]
) -> None:
    @hypothesis_settings(
        max_examples=TRIES,
        phases=[Phase.generate],
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(sent=fields(names - NEVER_SENT, usual))
    def ask(sent: dict[str, Any]) -> None:
        visitor.ask(method, address, sent)

    if names - NEVER_SENT:
        ask()
