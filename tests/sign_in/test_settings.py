"""The settings of single sign-on: all three or none, and secrets go to no open address."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.product import run_python
from tests.test_environment import PRODUCTION, refusal

OIDC = {
    "PORTAL_OIDC_ISSUER": "https://login.example.com/tenant",
    "PORTAL_OIDC_CLIENT_ID": "portal",
    "PORTAL_OIDC_CLIENT_SECRET": "s3cret-of-the-client",
}
SHOW = "import json; from portal import settings as s; print(json.dumps([{}, s.HAS_OWN_PROVIDER]))"


def say(expression: str, data_dir: Path, **environment: str) -> Any:
    done = run_python(SHOW.format(expression), data_dir, **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_production_has_none_unless_it_is_given_one(tmp_path: Path) -> None:
    assert say("s.OPENID", tmp_path, **PRODUCTION) == [None, False]
    [issuer, own] = say("s.OPENID.issuer", tmp_path, **PRODUCTION, **OIDC)
    assert (issuer, own) == (OIDC["PORTAL_OIDC_ISSUER"], False)


def test_the_sandbox_s_own_provider_is_there_for_the_sandbox_alone(tmp_path: Path) -> None:
    assert say("s.OPENID.issuer", tmp_path, PORT="9000") == ["http://127.0.0.1:9003", True]
    assert say("s.OPENID", tmp_path, PORTAL_GRAFANA="aws") == [None, False]
    assert say("s.OPENID.issuer", tmp_path, **OIDC) == [OIDC["PORTAL_OIDC_ISSUER"], False]
    sandbox = {"PORTAL_GRAFANA": "sandbox", "SANDBOX_SECRET_ACCESS_KEY": "s"}
    assert say("s.OPENID", tmp_path, **PRODUCTION, **sandbox) == [None, False]


def test_what_the_defaults_are(tmp_path: Path) -> None:
    shown = "[s.OPENID.name, s.OPENID.scopes, s.OPENID.groups_claim, s.OPENID.trusts_email]"
    assert say(shown, tmp_path, **PRODUCTION, **OIDC)[0] == [
        "single sign-on",
        ["openid", "profile", "email"],
        "groups",
        False,
    ]
    assert say("s.STEP_UP_SECONDS", tmp_path, **PRODUCTION)[0] == 300


def test_the_secret_shows_nowhere(tmp_path: Path) -> None:
    assert "s3cret" not in str(say("repr(s.OPENID)", tmp_path, **PRODUCTION, **OIDC))


@pytest.mark.parametrize("missing", OIDC)
def test_two_of_three_stop_the_start(tmp_path: Path, missing: str) -> None:
    given = {name: value for name, value in OIDC.items() if name != missing}
    line = refusal(run_python("import portal.settings", tmp_path, **PRODUCTION, **given))
    assert line.startswith(f"portal: setting {missing} is missing")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORTAL_OIDC_ISSUER", "http://login.example.com"),
        ("PORTAL_OIDC_ISSUER", "https://"),
        ("PORTAL_OIDC_ISSUER", "login.example.com"),
        ("PORTAL_OIDC_ISSUER", "https://login.example.com/?tenant=a"),
        ("PORTAL_OIDC_ISSUER", "https://login.example.com:port"),
        ("PORTAL_OIDC_ISSUER", "http://127.0.0.1.example.com"),
        ("PORTAL_OIDC_SCOPES", "profile email"),
        ("PORTAL_OIDC_GROUPS_CLAIM", "a\tb"),
        ("PORTAL_OIDC_EMAIL", "perhaps"),
        ("PORTAL_STEP_UP_SECONDS", "0"),
        ("PORTAL_STEP_UP_SECONDS", "86401"),
    ],
)
def test_a_malformed_setting_is_named(tmp_path: Path, name: str, value: str) -> None:
    given = {**PRODUCTION, **OIDC, name: value}
    line = refusal(run_python("import portal.settings", tmp_path, **given))
    assert line.startswith(f"portal: setting {name} ")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_http_is_taken_on_a_loopback_address(tmp_path: Path, host: str) -> None:
    issuer = f"http://{host}:8080/realms/a"
    given = {**PRODUCTION, **OIDC, "PORTAL_OIDC_ISSUER": issuer}
    assert say("s.OPENID.issuer", tmp_path, **given)[0] == issuer
