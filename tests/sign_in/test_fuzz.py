"""Whatever a provider answers, or somebody in its name: a page, and nobody is in who should not."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from jwt.api_jws import PyJWS

from portal.models import User
from tests.identity_provider import ErringProvider
from tests.sign_in.conftest import CALLBACK, Browser

pytestmark = pytest.mark.django_db
EMAIL = "engineer@example.com"

TEXTS = st.text(max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
CLAIMS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            *("iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "auth_time", "sid"),
            *("email", "email_verified", "name", "groups", "_claim_names", "hasgroups"),
        ),
        JSON,
    ),
)
QUICK = hypothesis_settings(
    max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@QUICK
@given(claims=CLAIMS)
def test_whatever_a_token_claims_ends_on_a_page(
    provider: ErringProvider, engineer: User, claims: dict[str, Any]
) -> None:
    provider.person(engineer.email)
    provider.token_claims = claims
    # Without the checks that PyJWT makes of what it signs.
    provider.signs = lambda said: PyJWS().encode(
        json.dumps(said).encode(), provider.key, "RS256", {"kid": provider.kid}
    )
    browser = Browser()
    answer = browser.sign_in(engineer.email)
    assert answer.status_code in (302, 400, 403, 502)
    if answer.status_code != 302:
        assert not browser.is_signed_in


@QUICK
@given(
    answer=st.fixed_dictionaries(
        {}, optional=dict.fromkeys(("code", "error", "error_description", "iss"), TEXTS)
    )
)
def test_whatever_comes_back_ends_on_a_page(
    provider: ErringProvider, engineer: User, answer: dict[str, str]
) -> None:
    provider.person(engineer.email)
    browser = Browser()
    browser.begin()
    [state] = browser.session["socialaccount_states"]
    came = browser.get(CALLBACK, {"state": state, **answer})
    assert came.status_code in (400, 403, 502, 503)
    assert not browser.is_signed_in
