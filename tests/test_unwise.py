"""Settings that nobody should run with: each is named, and nothing new begins with them."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import environment
from tests.product import ROOT, clean_environment, fresh_database, read_settings, run_python

PRODUCTION = {
    "DATABASE_URL": "postgres://portal:pw@db.example.com/portal?sslmode=verify-full",
    "SECRET_KEY": "a secret that nobody else has, 1",
    "AUDIT_KEY": "a key that nobody else has, 2345",
    "ALLOWED_HOSTS": "tokens.example.com",
    "PORTAL_ORIGIN": "https://tokens.example.com",
    "CELERY_BROKER_URL": "rediss://:pw@valkey.example.com/0",
    "EMAIL_URL": "smtp+tls://portal:pw@mail.example.com:587",
}
LOCAL = {
    "DATABASE_URL": [
        "postgres://portal@127.0.0.1/portal",
        "postgres://portal@localhost/portal",
        "postgres://portal@[::1]/portal",
        "postgres://portal@%2Frun%2Fpostgresql/portal",
        "postgres:///portal",
        "postgres://portal@a.example.com,b.example.com/portal?sslmode=require",
    ],
    "CELERY_BROKER_URL": ["redis://127.0.0.1/0", "unix:///run/valkey.sock", "redis://[::1]/0"],
    "CACHE_URL": ["redis://127.8.8.8/0", "rediss://cache.example.com/0"],
    "EMAIL_URL": [
        "smtp://localhost:25",
        "filemail:///var/mails",
        "smtps://mail.example.com:465",
        "smtps://mail.example.com:587",
        "smtp+ssl://mail.example.com:465",
    ],
    "PORTAL_ORIGIN": ["https://tokens.example.com:8443"],
    "AWS_ENDPOINT_URL_GRAFANA": ["http://127.0.0.1:8001", "https://grafana.example.com"],
}
PLAIN = {
    "DATABASE_URL": [
        "postgres://portal:pw@db.example.com/portal",
        "postgres://portal:pw@db.example.com/portal?sslmode=prefer",
        "postgres://portal:pw@10.0.0.7,db.example.com/portal",
        "postgres:///portal?host=db.example.com",
    ],
    "CELERY_BROKER_URL": ["redis://:pw@valkey.example.com/0", "redis://8.8.8.8"],
    "CACHE_URL": ["redis://:pw@valkey.example.com/0"],
    "EMAIL_URL": ["smtp://mail.example.com:25"],
    "PORTAL_ORIGIN": ["http://tokens.example.com", "http://tokens.example.com:8000"],
    "AWS_ENDPOINT_URL": ["http://aws.example.com"],
    "AWS_ENDPOINT_URL_GRAFANA": ["http://aws.example.com:8001"],
    "AWS_ENDPOINT_URL_STS": ["http://sts.example.com"],
}
UNWISE = [
    ("ALLOWED_HOSTS", {"ALLOWED_HOSTS": "*"}, "takes every host name"),
    ("ALLOWED_HOSTS", {"ALLOWED_HOSTS": "other.example.com"}, "the host of PORTAL_ORIGIN"),
    ("ALLOWED_HOSTS", {"ALLOWED_HOSTS": "tokens.example.com,a b"}, "an entry that is no host name"),
    (
        "CELERY_BROKER_URL",
        {"CELERY_BROKER_URL": "rediss://a.example/0?ssl_cert_reqs=none"},
        "any cert",
    ),
]
FINDINGS = (
    "import json; from portal import unwise; "
    "found = [[f.setting, str(f), f.is_permitted, f.stops_the_new] for f in unwise.findings()]; "
    "print(json.dumps(found))"
)
Find = Callable[..., list[tuple[str, str, bool, bool]]]


@pytest.fixture
def find(tmp_path: Path) -> Find:
    def find(**settings: str) -> list[tuple[str, str, bool, bool]]:
        done = read_settings(FINDINGS, tmp_path, **PRODUCTION | settings)
        assert done.returncode == 0, done.stderr
        found: list[tuple[str, str, bool, bool]] = [tuple(one) for one in json.loads(done.stdout)]
        return found

    return find


def pairs(urls: dict[str, list[str]]) -> list[Any]:
    return [pytest.param(name, url, id=f"{name}={url}") for name in urls for url in urls[name]]


def test_nothing_is_said_of_what_is_as_it_should_be(find: Find) -> None:
    assert find() == []


@pytest.mark.parametrize(("name", "url"), pairs(LOCAL))
def test_to_this_machine_or_with_tls_nothing_is_said(find: Find, name: str, url: str) -> None:
    assert find(**{name: url}) == []


@pytest.mark.parametrize(("name", "url"), pairs(PLAIN))
def test_a_url_to_another_machine_without_tls_is_named(find: Find, name: str, url: str) -> None:
    [(setting, text, is_permitted, stops)] = find(**{name: url})
    assert setting == name
    assert (is_permitted, stops) == (False, True)
    assert text.startswith(f"setting {name} leads to another machine without TLS")
    assert f"{name}_WITHOUT_TLS=on" in text
    assert url not in text


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgres://portal:pw@127.0.0.1,10.0.0.7/portal"),
        ("CELERY_BROKER_URL", "redis://192.168.1.7"),
        ("CACHE_URL", "redis://[fd00::7]/0"),
        ("EMAIL_URL", "smtp://172.16.0.7:25"),
        ("PORTAL_ORIGIN", "http://10.0.0.7:8000"),
        ("AWS_ENDPOINT_URL_GRAFANA", "http://10.0.0.7:8001"),
    ],
)
def test_an_address_of_a_private_network_is_named_and_stops_nobody(
    find: Find, name: str, url: str
) -> None:
    [(setting, _, is_permitted, stops)] = [one for one in find(**{name: url}) if one[0] == name]
    assert (setting, is_permitted, stops) == (name, False, False)


@pytest.mark.parametrize(("name", "url"), pairs({name: urls[:1] for name, urls in PLAIN.items()}))
def test_each_url_is_permitted_by_its_own_name_alone(find: Find, name: str, url: str) -> None:
    [(_, _, is_permitted, _)] = find(**{name: url, f"{name}_WITHOUT_TLS": "on"})
    assert is_permitted
    other = next(other for other in PLAIN if other != name)
    [(_, _, is_permitted, _)] = find(**{name: url, f"{other}_WITHOUT_TLS": "on"})
    assert not is_permitted


def test_libpqs_own_variable_may_ask_for_tls(find: Find) -> None:
    assert find(DATABASE_URL=PLAIN["DATABASE_URL"][0], PGSSLMODE="verify-full") == []


@pytest.mark.parametrize(("name", "settings", "words"), UNWISE, ids=[words for *_, words in UNWISE])
def test_what_is_only_unwise_is_named_and_stops_nobody(
    find: Find, name: str, settings: dict[str, str], words: str
) -> None:
    [(setting, text, _, stops)] = find(**settings)
    assert setting == name
    assert words in text
    assert not stops


@pytest.mark.parametrize(
    ("url", "tls", "ssl"),
    [
        ("smtps://mail.example.com:465", False, True),
        ("smtps://mail.example.com", False, True),
        ("smtp+tls://mail.example.com:2465", False, True),
        ("smtp+tls://mail.example.com", True, False),
        ("smtp+tls://mail.example.com:465", False, True),
        ("smtp+ssl://mail.example.com:465", False, True),
        ("smtp+tls://mail.example.com:587", True, False),
        ("smtps://mail.example.com:587", True, False),
        ("smtp://mail.example.com:25", False, False),
    ],
)
def test_a_mail_servers_port_465_is_spoken_to_with_tls_at_once(
    tmp_path: Path, url: str, tls: bool, ssl: bool
) -> None:
    code = "from portal import settings as s; print(s.EMAIL_USE_TLS, s.EMAIL_USE_SSL)"
    done = read_settings(code, tmp_path, **PRODUCTION | {"EMAIL_URL": url})
    assert done.stdout.split() == [str(tls), str(ssl)], done.stderr


# -- What becomes of it -------------------------------------------------------------------------

Command = Callable[..., "subprocess.CompletedProcess[str]"]
START = "import portal.wsgi"
SOMEBODY = (
    "import django; django.setup(); from portal.models import User; "
    "User.objects.create_user('admin@example.com')"
)


@pytest.fixture
def installation(tmp_path: Path) -> dict[str, str]:
    """Its settings but for what is unwise; its database is empty."""
    (tmp_path / "static").mkdir()
    url = f"sqlite:///{tmp_path}/portal.sqlite3"
    if environment.STACK == "production":
        url = fresh_database(environment.postgres.url)
    return {
        **PRODUCTION,
        "DATABASE_URL": url,
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        "EMAIL_URL": "smtp://127.0.0.1:1",
        "PORTAL_STATIC_ROOT": str(tmp_path / "static"),
    }


def manage(*command: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={**clean_environment(), **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


PLAIN_ORIGIN = {"PORTAL_ORIGIN": "http://tokens.example.com", "ALLOWED_HOSTS": "*"}


def test_a_new_installation_does_not_begin_without_tls(
    installation: dict[str, str], tmp_path: Path
) -> None:
    plain = installation | PLAIN_ORIGIN | {"AWS_ENDPOINT_URL": "http://aws.example.com"}
    words = "portal: setting PORTAL_ORIGIN leads to another machine without TLS"
    refused = manage("migrate", "--no-input", **plain)
    assert refused.returncode == 1
    assert words in refused.stderr
    assert "(and see AWS_ENDPOINT_URL)" in refused.stderr
    assert manage("migrate", "--no-input", **installation).returncode == 0
    for code in (
        START,
        "import django; django.setup(); from portal.checks import exit_unless_sound as e; e()",
    ):
        refused = run_python(code, tmp_path, **plain)
        assert refused.returncode == 1
        *_, line = refused.stderr.splitlines()
        assert line.startswith(words)
        assert "Traceback" not in refused.stderr


def test_an_installation_that_people_use_goes_on_and_its_log_says_what_to_change(
    installation: dict[str, str], tmp_path: Path
) -> None:
    assert manage("migrate", "--no-input", **installation).returncode == 0
    assert run_python(SOMEBODY, tmp_path, **installation).returncode == 0
    plain = installation | PLAIN_ORIGIN
    assert manage("migrate", "--no-input", **plain).returncode == 0
    begun = run_python(START, tmp_path, **plain)
    assert begun.returncode == 0, begun.stderr
    told = [json.loads(line) for line in (begun.stdout + begun.stderr).splitlines()]
    unwise = {line["setting"]: line for line in told if line["event"] == "setting.unwise"}
    assert set(unwise) == {"ALLOWED_HOSTS", "PORTAL_ORIGIN"}
    assert all(line["remedy"] and line["level"] == "warning" for line in unwise.values())


def test_while_the_database_is_away_nobody_is_taken_for_new(
    installation: dict[str, str], tmp_path: Path
) -> None:
    away = installation | PLAIN_ORIGIN | {"DATABASE_URL": "postgres://portal@127.0.0.1:1/portal"}
    begun = run_python(START, tmp_path, **away)
    assert begun.returncode == 0, begun.stderr
    assert "setting.unwise" in begun.stdout + begun.stderr


def test_a_check_of_the_deployment_warns_of_it(installation: dict[str, str]) -> None:
    weak = installation | {"ALLOWED_HOSTS": "*", "PORTAL_ORIGIN": "http://tokens.example.com"}
    told = manage("check", "--deploy", **weak)
    assert told.returncode == 0
    assert "(portal.W002) The setting ALLOWED_HOSTS takes every host name" in told.stderr
    assert "(portal.W002) The setting PORTAL_ORIGIN leads to another machine" in told.stderr


def test_the_embedded_default_begins_whatever_it_is_told(tmp_path: Path) -> None:
    told = manage(
        "migrate",
        PORTAL_EMBEDDED="1",
        PORTAL_DATA_DIR=str(tmp_path),
        ALLOWED_HOSTS="*",
        PORTAL_MONITOR_TOKEN="x",
    )
    assert told.returncode == 0, told.stderr
