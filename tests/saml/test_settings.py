"""The settings of SAML, with the extra that it needs and without."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.product import run_python

WITHOUT = """
import sys
from importlib.machinery import PathFinder

class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        missing = name.partition(".")[0] in ("lxml", "onelogin", "xmlsec", "isodate")
        return None if missing else super().find_spec(name, path, target)

sys.meta_path[:] = [Without if one is PathFinder else one for one in sys.meta_path]
"""
SHOW = """
import json
from portal import saml_settings, settings
print(json.dumps([saml_settings.is_installed(), repr(settings.SAML)]))
"""
SERVE = """
import django
django.setup()
from django.core.management import call_command
from django.urls import Resolver404, resolve
call_command("check", fail_level="WARNING")
assert resolve("/accounts/login/")
try:
    resolve("/accounts/saml/sso/login/")
except Resolver404:
    print("no SAML")
"""
ORIGIN = {"PORTAL_ORIGIN": "https://tokens.example.com"}
URL = "https://portal.sso.eu-west-1.amazonaws.com/saml/metadata/MTIz"


def refusal(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line with which a start was refused."""
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    return line


def test_without_the_extra_the_portal_starts_and_passes_its_checks(tmp_path: Path) -> None:
    done = run_python(WITHOUT + SERVE, tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "no SAML"), done.stderr


@pytest.mark.parametrize(
    "name",
    ["PORTAL_SAML_METADATA", "PORTAL_SAML_EMAIL_ATTRIBUTE", "PORTAL_SAML_GROUPS_ATTRIBUTE"],
)
def test_a_start_says_that_the_extra_is_missing(tmp_path: Path, name: str) -> None:
    value = URL if name == "PORTAL_SAML_METADATA" else "groups"
    line = refusal(run_python(WITHOUT + SHOW, tmp_path, **{name: value}))
    assert line == (
        f"portal: setting {name} needs what requirements-saml.txt adds, and that is not "
        "installed: pip install --require-hashes -r requirements-saml.txt"
    )


def test_addresses_are_the_portal_s_own_to_the_letter(tmp_path: Path) -> None:
    done = run_python(SHOW, tmp_path, PORTAL_SAML_METADATA=URL, **ORIGIN)
    assert done.returncode == 0, done.stderr
    installed, saml = json.loads(done.stdout)
    assert installed
    assert f"metadata='{URL}'" in saml
    assert "acs='https://tokens.example.com/accounts/saml/sso/acs/'" in saml
    assert "entity_id='https://tokens.example.com/accounts/saml/sso/metadata/'" in saml


def test_a_file_may_hold_the_metadata(tmp_path: Path) -> None:
    place = tmp_path / "provider.xml"
    place.write_text("<EntityDescriptor><IDPSSODescriptor/></EntityDescriptor>")
    done = run_python(SHOW, tmp_path, PORTAL_SAML_METADATA=str(place))
    assert str(place) in done.stdout
    place.write_text("<html>Sign in to see this file</html>")
    line = refusal(run_python(SHOW, tmp_path, PORTAL_SAML_METADATA=str(place)))
    assert line.startswith("portal: setting PORTAL_SAML_METADATA is malformed")


@pytest.mark.parametrize(
    "value",
    [
        "http://idp.example.com/metadata",
        "https://",
        "https://idp.example.com:x/",
        "ftp://idp.example.com/metadata",
        "file:///etc/hostname",
        "/there/is/none.xml",
        "/tmp",
    ],
)
def test_metadata_that_anybody_could_change_stop_the_start(tmp_path: Path, value: str) -> None:
    line = refusal(run_python(SHOW, tmp_path, PORTAL_SAML_METADATA=value))
    assert line.startswith(
        "portal: setting PORTAL_SAML_METADATA is malformed: it must be the https"
    )
    assert value not in line


def test_on_a_loopback_address_plain_http_is_enough(tmp_path: Path) -> None:
    url = "http://127.0.0.1:8081/metadata"
    assert run_python(SHOW, tmp_path, PORTAL_SAML_METADATA=url).returncode == 0


def test_nothing_set_is_no_saml(tmp_path: Path) -> None:
    assert json.loads(run_python(SHOW, tmp_path).stdout) == [True, "None"]
