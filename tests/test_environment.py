"""Settings: a start that lacks one stops with a line that names it, and shows no value."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.product import ROOT, clean_environment, read_settings, run_python

SECRET = "a-secret-that-nobody-may-print-0123456789"
PRODUCTION = {
    "DATABASE_URL": "postgres://portal:db-password@127.0.0.1/portal",
    "SECRET_KEY": SECRET,
    "AUDIT_KEY": SECRET[::-1],
    "ALLOWED_HOSTS": "tokens.example.com",
    "PORTAL_ORIGIN": "https://tokens.example.com",
    "CELERY_BROKER_URL": "rediss://:broker-password@127.0.0.1:6379/0",
    "EMAIL_URL": "smtp+tls://portal:mail-password@mail.example.com:587",
}
Start = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Read the settings as every process of the portal does when it starts."""

    def start(*, say: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        show = f"import json; print(json.dumps({say}))" if say else ""
        return read_settings(
            f"from portal import settings as s, environment; {show}",
            tmp_path / "data",
            **environment,
        )

    return start


def said(done: "subprocess.CompletedProcess[str]") -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(done: "subprocess.CompletedProcess[str]") -> str:
    """The one line with which a start was refused."""
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("portal: setting ")
    return line


# -- Missing ------------------------------------------------------------------------------------


def test_production_starts_with_what_it_needs(start: Start) -> None:
    assert start(**PRODUCTION).returncode == 0


@pytest.mark.parametrize("name", PRODUCTION)
def test_production_does_not_start_without_it(start: Start, name: str) -> None:
    left = {key: value for key, value in PRODUCTION.items() if key != name}
    assert refusal(start(**left)).startswith(f"portal: setting {name} is missing")


@pytest.mark.parametrize("name", PRODUCTION)
def test_an_empty_setting_is_no_setting(start: Start, name: str) -> None:
    assert f" {name} " in refusal(start(**PRODUCTION | {name: ""}))


def test_the_embedded_default_needs_nothing(start: Start) -> None:
    shown = start(say="[s.EMBEDDED, s.PORTAL_ORIGIN, s.GRAFANA, s.DATABASE['ENGINE']]")
    assert said(shown) == [
        True,
        "http://127.0.0.1:8000",
        "sandbox",
        "django.db.backends.sqlite3",
    ]


def test_production_calls_aws_and_logs_json(start: Start) -> None:
    assert said(start(say="[s.GRAFANA, s.LOGGING['as_json'], s.DEBUG]", **PRODUCTION)) == [
        "aws",
        True,
        False,
    ]


def test_second_factors_are_for_the_privileged_in_production_and_for_nobody_in_the_demo(
    start: Start,
) -> None:
    say = "[s.SIGN_IN.second_factor, s.SIGN_IN.session_seconds, s.SIGN_IN.session_idle_seconds]"
    assert said(start(say=say, **PRODUCTION)) == ["privileged", 43_200, 14_400]
    assert said(start(say=say)) == ["off", 43_200, 14_400]
    hours = {"PORTAL_SESSION_HOURS": "0.5", "PORTAL_SESSION_IDLE_HOURS": "0.01"}
    everyone = {"PORTAL_SECOND_FACTOR": "everyone"}
    assert said(start(say=say, **hours, **everyone)) == ["everyone", 1800, 36]


# -- Malformed ----------------------------------------------------------------------------------

MALFORMED = [
    ("SECRET_KEY", "a-short-secret"),
    ("AUDIT_KEY", "a-short-secret"),
    ("ALLOWED_HOSTS", " , "),
    ("AWS_REGION", "Ireland"),
    ("AWS_DEFAULT_REGION", "eu-west"),
    ("PORTAL_ORIGIN", "portal.example.org"),
    ("PORTAL_ORIGIN", "https://portal.example.org/portal"),
    ("PORTAL_ORIGIN", "ftp://portal.example.org"),
    ("PORTAL_ORIGIN", "https://"),
    ("PORTAL_ORIGIN", "https://portal.example.org?a=b"),
    ("PORTAL_ORIGIN", "https://me:portal@example.org"),
    ("PORTAL_ORIGIN", "https://portal.example.org\nSet-Cookie: a=b"),
    ("PORTAL_ORIGIN", "https://portal.example.org:port"),
    ("PORTAL_ORIGIN", "https://portal.example.org:99999"),
    ("PORTAL_ORIGIN", "https://portal example.org"),
    ("DATABASE_URL", "mysql://portal:db-password@127.0.0.1/portal"),
    ("DATABASE_URL", "db-password"),
    ("DATABASE_URL", "postgres://portal:db-password@127.0.0.1:port/portal"),
    ("DATABASE_URL", "postgres://portal:db-password@127.0.0.1/"),
    ("DATABASE_URL", "sqlite:///"),
    ("DATABASE_URL", "sqlite://portal.sqlite3"),
    ("CELERY_BROKER_URL", "amqp://guest:broker-password@127.0.0.1"),
    ("CELERY_BROKER_URL", "redis:"),
    ("CELERY_BROKER_URL", "redis://:broker-password@127.0.0.1:port/0"),
    ("CELERY_BROKER_URL", "unix://"),
    ("CELERY_BROKER_URL", "redis://:broker-password@127.0.0.1:0/0"),
    ("CACHE_URL", "memcached://127.0.0.1:11211"),
    ("EMAIL_URL", "mail-password"),
    ("EMAIL_URL", "carrier-pigeon://mail-password@loft"),
    ("PORT", "http"),
    ("PORT", "0"),
    ("PORT", "65536"),
    ("PORT", "80 00"),
    ("PORTAL_SANDBOX_PORT", "-1"),
    ("PORTAL_BROKER_PORT", "many"),
    ("PORTAL_MAIL_FROM", "portal\nBcc: everybody@example.org"),
    ("PORTAL_MAIL_FROM", "not an address"),
    ("PORTAL_MAIL_FROM", "Portal <tokens>"),
    ("PORTAL_AUDIT_HEAD_MAIL", "security@example.com,nobody at all"),
    ("PORTAL_AUDIT_HEAD_MAIL", "security@"),
    ("PORTAL_TRUSTED_PROXIES", "yes"),
    ("PORTAL_TRUSTED_PROXIES", "-1"),
    ("PORTAL_TRUSTED_PROXIES", "11"),
    ("PORTAL_GRAFANA", "Sandbox"),
    ("PORTAL_TOKEN_QUOTA", "0"),
    ("PORTAL_TOKEN_QUOTA", "1e2"),
    ("PORTAL_TOKEN_QUOTA", "1_0"),
    ("PORTAL_TOKEN_QUOTA", "٣"),
    ("PORTAL_DATA_DIR", ""),
    ("PORTAL_UNCLAIMED_SECONDS", "15m"),
    ("PORTAL_UNCLAIMED_SECONDS", "0"),
    ("PORTAL_RATE_LIMITS", "true"),
    ("PORTAL_WEBHOOK_NETWORKS", "10.20.0.1/16"),
    ("PORTAL_WEBHOOK_NETWORKS", "10.20.0.0/16;10.21.0.0/16"),
    ("PORTAL_WEBHOOK_NETWORKS", "internal"),
    ("PORTAL_EXTRA_REGIONS", "Ireland"),
    ("PORTAL_EXTRA_REGIONS", "eu-west-1 eu-west-2"),
    ("PORTAL_REQUESTS_PER_HOUR", "0"),
    ("PORTAL_REQUESTS_PER_HOUR", "many"),
    ("PORTAL_SECOND_FACTOR", "leads"),
    ("PORTAL_STEP_UP_SECONDS", "0"),
    ("PORTAL_STEP_UP_SECONDS", "86401"),
    ("PORTAL_SESSION_HOURS", "12h"),
    ("PORTAL_SESSION_HOURS", "0"),
    ("PORTAL_SESSION_IDLE_HOURS", "-1"),
    ("PORTAL_SESSION_IDLE_HOURS", "9000"),
    ("PORTAL_LEAKED_PASSWORDS", "/no/such/file"),
    ("SECRET_KEYS_RETIRED", "a-short-secret"),
    ("PORTAL_WORKER_PROCESSES", "0"),
    ("PORTAL_LOG_LEVEL", "VERBOSE"),
    ("PORTAL_EMBEDDED", "perhaps"),
]


@pytest.mark.parametrize(("name", "value"), MALFORMED, ids=[f"{n}={v}" for n, v in MALFORMED])
def test_a_malformed_setting_stops_the_start_with_a_line_that_names_it(
    start: Start, name: str, value: str
) -> None:
    line = refusal(start(**PRODUCTION | {name: value}))
    assert line.startswith(f"portal: setting {name} is malformed: it must be ")
    assert "-password" not in line, "a value may be a secret"
    assert len(value) < 10 or value not in line


WRONG_BROKERS = {
    "rediss://:broker-password@127.0.0.1/abc": "names a database that is no number",
    "redis://:broker-password@127.0.0.1/1?db=2": "names two databases",
    "redis://:broker-pass/word@127.0.0.1/0": "has “/”, “?” or “#” in its user or password",
    "redis://:broker-pass?word@127.0.0.1/0": "has “/”, “?” or “#” in its user or password",
    "redis://:broker-pass#word@127.0.0.1/0": "has “/”, “?” or “#” in its user or password",
    "redis://127.0.0.1/0?wait=for-me": "has options that nobody knows here: wait",
    "redis://127.0.0.1/0?ssl_cert_reqs=none": "has options that nobody knows here: ssl_cert_reqs",
    "rediss://127.0.0.1/0?ssl_cert_reqs=CERT_MAYBE": "has an option ssl_cert_reqs that can't",
    "redis://127.0.0.1/0?socket_timeout=long": "has an option socket_timeout that can't be read",
    "unix://host/var/run/valkey.sock": "has a host before a socket's path",
}


@pytest.mark.parametrize("name", ["CELERY_BROKER_URL", "CACHE_URL"])
@pytest.mark.parametrize("url", WRONG_BROKERS)
def test_a_broker_that_a_library_would_read_its_own_way_is_refused_with_the_reason(
    start: Start, name: str, url: str
) -> None:
    line = refusal(start(**PRODUCTION | {name: url}))
    assert line.startswith(f"portal: setting {name} {WRONG_BROKERS[url]}")
    assert "it must be the URL of a Valkey or Redis server" in line
    assert "broker-pass" not in line


UNESCAPED = "has “/”, “?”, “#” or “@” in its user or password: write %2F, %3F, %23 or %40"
CUT = {
    "DATABASE_URL": [
        "postgres://portal:p@ss/w@db.example.com/portal",
        "postgres://portal:p@ss?w@db.example.com/portal",
        "postgres://portal:p@ss#w@db.example.com/portal",
        "postgres://portal:1/w@db.example.com/portal",
    ],
    "EMAIL_URL": [
        "smtp+tls://portal:p@ss/w@mail.example.com:587",
        "smtp://portal:p@ss#w@mail.example.com",
        "smtp+ssl://portal:1?w@mail.example.com",
    ],
}


@pytest.mark.parametrize(("name", "url"), [(name, url) for name in CUT for url in CUT[name]])
def test_a_password_that_cuts_its_url_short_is_named(start: Start, name: str, url: str) -> None:
    line = refusal(start(**PRODUCTION | {name: url}))
    assert line.startswith(f"portal: setting {name} {UNESCAPED}")
    assert "p@ss" not in line


def test_an_at_sign_that_cuts_nothing_is_left_alone(start: Start) -> None:
    url = "postgres://portal:p@ss@db.example.com/por@tal?application_name=a@b"
    shown = start(
        say="[s.DATABASE[k] for k in ('HOST', 'NAME')]", **PRODUCTION | {"DATABASE_URL": url}
    )
    assert said(shown) == ["db.example.com", "por@tal"]


@pytest.mark.parametrize("url", ["smtp://", "smtp+tls://:587", "smtps://user:pw@"])
def test_a_mail_server_without_a_name_is_refused(start: Start, url: str) -> None:
    line = refusal(start(**PRODUCTION | {"EMAIL_URL": url}))
    assert line.startswith("portal: setting EMAIL_URL names no host: it must be a URL such as ")


@pytest.mark.parametrize(
    "pasted",
    [
        "https://tokens.example.com",
        "tokens.example.com:443",
        "'tokens.example.com'",
        '["tokens.example.com"]',
        "[tokens.example.com]",
        "tokens.example.com/",
        "tokens.example.com.",
        "*.example.com",
        "tokens.example.com tokens",
        "127.0.0.1,https://tokens.example.com",
    ],
)
def test_hosts_that_no_request_matches_are_refused(start: Start, pasted: str) -> None:
    line = refusal(start(**PRODUCTION | {"ALLOWED_HOSTS": pasted}))
    assert line.startswith("portal: setting ALLOWED_HOSTS has an entry that no request's host can")
    assert "it must be names alone" in line


@pytest.mark.parametrize(
    "hosts",
    ["Tokens.Example.com", ".example.com", "*", "tokens.example.com, https://tokens.example.com"],
)
def test_hosts_that_let_people_in_are_taken(start: Start, hosts: str) -> None:
    assert start(**PRODUCTION | {"ALLOWED_HOSTS": hosts}).returncode == 0


@pytest.mark.parametrize("sender", ["tokens@localhost", "Token portal <tokens@example.com>"])
def test_who_mails_come_from_may_have_a_name(start: Start, sender: str) -> None:
    shown = start(say="s.DEFAULT_FROM_EMAIL", **PRODUCTION, PORTAL_MAIL_FROM=sender)
    assert said(shown) == sender


@pytest.mark.parametrize(
    "region", ["us-gov-west-1", "cn-north-1", "us-isob-east-1", "eusc-de-east-1"]
)
def test_the_regions_of_every_partition_are_taken(start: Start, region: str) -> None:
    assert start(**PRODUCTION, AWS_REGION=region).returncode == 0


GUESSABLE = [
    ("AUDIT_KEY", {"AUDIT_KEY": SECRET}, "is the same as SECRET_KEY"),
    ("PORTAL_MONITOR_TOKEN", {"PORTAL_MONITOR_TOKEN": SECRET}, "is the same as SECRET_KEY"),
    ("SECRET_KEY", {"SECRET_KEY": "a" * 40}, "has too few different characters"),
    ("AUDIT_KEY", {"AUDIT_KEY": "abcdefg" * 9}, "has too few different characters"),
    ("PORTAL_MONITOR_TOKEN", {"PORTAL_MONITOR_TOKEN": "x"}, "is too short"),
    ("PORTAL_MONITOR_TOKEN", {"PORTAL_MONITOR_TOKEN": "y" * 40}, "has too few different"),
]


@pytest.mark.parametrize(("name", "given", "words"), GUESSABLE)
def test_a_secret_that_can_be_guessed_stops_the_start(
    start: Start, name: str, given: dict[str, str], words: str
) -> None:
    line = refusal(start(**PRODUCTION | given))
    assert line.startswith(f"portal: setting {name} {words}")
    assert not [value for value in given.values() if len(value) > 1 and value in line]


def test_a_secret_that_is_retired_may_be_what_it_was(start: Start) -> None:
    """A key that can be guessed is replaced by making it one."""
    assert start(**PRODUCTION, AUDIT_KEYS_RETIRED="a" * 40).returncode == 0


def test_the_embedded_default_takes_what_it_took(start: Start) -> None:
    weak = {"SECRET_KEY": "a" * 40, "AUDIT_KEY": "a" * 40, "PORTAL_MONITOR_TOKEN": "x"}
    assert start(**weak, PORTAL_EMBEDDED="1").returncode == 0


@pytest.mark.parametrize("name", ["SECRET_KEY", "AUDIT_KEY_FILE", "CELERY_BROKER_URL"])
def test_a_production_that_has_forgotten_its_database_is_told(
    start: Start, tmp_path: Path, name: str
) -> None:
    (tmp_path / "key").write_text(SECRET)
    value = str(tmp_path / "key") if name.endswith("_FILE") else PRODUCTION[name]
    line = refusal(start(**{name: value}))
    assert line.startswith(
        f"portal: setting DATABASE_URL is missing, and {name.split('_FILE')[0]} is"
    )
    assert start(**{name: value}, PORTAL_EMBEDDED="1").returncode == 0


def test_every_command_is_refused_with_the_same_line(tmp_path: Path) -> None:
    for command in ("check", "run", "sweep", "migrate"):
        done = subprocess.run(
            [sys.executable, "manage.py", command],
            cwd=ROOT,
            env={**clean_environment(), "PORTAL_DATA_DIR": str(tmp_path), "PORT": "http"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert refusal(done) == ("portal: setting PORT is malformed: it must be a port, 1-65535")


def test_production_has_no_demo_people(start: Start) -> None:
    line = refusal(start(**PRODUCTION, PORTAL_DEMO_PASSWORD="a demo password"))
    assert line.startswith("portal: setting PORTAL_DEMO_PASSWORD ")
    assert "a demo password" not in line


# -- Files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRODUCTION)
def test_a_setting_may_stand_in_a_file(start: Start, tmp_path: Path, name: str) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{PRODUCTION[name]}\n")
    given = {key: value for key, value in PRODUCTION.items() if key != name}
    shown = start(say="[s.EMBEDDED, s.SECRET_KEY]", **given, **{f"{name}_FILE": str(file)})
    assert said(shown) == [False, SECRET]


def test_a_file_that_cannot_be_read_stops_the_start(start: Start, tmp_path: Path) -> None:
    missing = {**PRODUCTION, "SECRET_KEY_FILE": str(tmp_path / "nothing")}
    del missing["SECRET_KEY"]
    assert refusal(start(**missing)).startswith("portal: setting SECRET_KEY is missing")


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"], ids=repr)
@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "PORTAL_MONITOR_TOKEN", "PORTAL_DEMO_PASSWORD", "PORTAL_MAIL_FROM"]
)
def test_a_file_that_tells_nothing_never_stands_for_no_setting(
    start: Start, tmp_path: Path, name: str, content: bytes | None
) -> None:
    """An empty secret may be a mount that failed: what it guards must not stand open."""
    file = tmp_path / "given"
    if content is not None:
        file.write_bytes(content)
    given = {key: value for key, value in PRODUCTION.items() if key != name}
    assert f" {name} is " in refusal(start(**given, **{f"{name}_FILE": str(file)}))


def test_the_end_of_a_files_line_is_no_part_of_a_secret(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("a monitor's own token\n")
    shown = start(say="s.MONITOR_TOKEN", **PRODUCTION, PORTAL_MONITOR_TOKEN_FILE=str(file))
    assert said(shown) == "a monitor's own token"


@pytest.mark.parametrize("name", ["PORTAL_DEMO_PASSWORD", "PORTAL_MONITOR_TOKEN"])
def test_an_optional_secret_may_stand_in_a_file_too(
    start: Start, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    shown = start(say=f"s.{name.removeprefix('PORTAL_')}", **{f"{name}_FILE": str(file)})
    assert said(shown) == SECRET


def test_a_data_directory_that_cannot_be_one_is_named(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path in (file, file / "below"):
        line = refusal(start(PORTAL_DATA_DIR=str(path)))
        assert line.startswith("portal: setting PORTAL_DATA_DIR names what can't be used (")


def test_the_sandbox_in_production_wants_its_secret(start: Start) -> None:
    line = refusal(start(**PRODUCTION, PORTAL_GRAFANA="sandbox"))
    assert line.startswith("portal: setting SANDBOX_SECRET_ACCESS_KEY is missing")


# -- What the embedded default generates --------------------------------------------------------


def test_generated_secrets_are_kept_and_readable_by_their_owner_alone(
    start: Start, tmp_path: Path
) -> None:
    say = "[s.SECRET_KEY, s.AUDIT_KEY, s.DEMO_PASSWORD]"
    first, second = said(start(say=say)), said(start(say=say))
    assert first == second
    assert len(set(first)) == 3
    assert min(map(len, first[:2])) >= 32
    assert len(first[2]) >= 12
    file = tmp_path / "data" / "portal.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_what_the_embedded_default_writes_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Also by a single command, in a directory that somebody else has made."""
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    code = "import os; os.umask(0o022); import django; django.setup(); from django.core import mail"
    code += (
        "\nfrom django.core.management import call_command; call_command('migrate', verbosity=0)"
    )
    code += "\nmail.send_mail('a', 'b', 'c@example.com', ['d@example.com'])"
    done = run_python(code, data)
    assert done.returncode == 0, done.stderr
    written = [path for path in data.rglob("*") if path.is_file()]
    assert {"portal.env", "portal.sqlite3"} < {path.name for path in written}
    assert len(written) >= 3
    assert [path for path in written if path.stat().st_mode & 0o077] == []


def test_processes_that_start_at_once_agree_on_what_is_generated(start: Start) -> None:
    with ThreadPoolExecutor(4) as pool:
        starts = [pool.submit(start, say="s.SECRET_KEY") for _ in range(8)]
        assert len({said(one.result()) for one in starts}) == 1


def test_what_is_given_wins_over_what_is_generated(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "audit-key"
    file.write_text(SECRET[::-1])
    start()
    given = {"SECRET_KEY": SECRET, "AUDIT_KEY_FILE": str(file), "PORTAL_DEMO_PASSWORD": "mine"}
    shown = start(say="[s.SECRET_KEY, s.AUDIT_KEY, s.DEMO_PASSWORD]", **given)
    assert said(shown) == [SECRET, SECRET[::-1], "mine"]


def test_calling_aws_makes_no_demo_people_unless_a_password_is_given(start: Start) -> None:
    aws = {"PORTAL_GRAFANA": "aws"}
    assert said(start(say="s.DEMO_PASSWORD", **aws)) == ""
    assert said(start(say="s.DEMO_PASSWORD", **aws, PORTAL_DEMO_PASSWORD="mine")) == "mine"


# -- Where AWS calls go -------------------------------------------------------------------------

AWS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "a-real-secret",
    "AWS_SESSION_TOKEN": "a-real-session",
    "AWS_PROFILE": "production",
    "AWS_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": "https://aws.example.com",
    "AWS_ENDPOINT_URL_GRAFANA": "https://grafana.example.com",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.2/credentials",
}
SEEN = "{k: v for k, v in __import__('os').environ.items() if k.startswith('AWS_')}"


def test_the_sandbox_never_sees_the_real_account(start: Start) -> None:
    seen = said(start(say=SEEN, PORT="8123", **AWS))
    assert seen.pop("AWS_ENDPOINT_URL_GRAFANA") == "http://127.0.0.1:8124"
    assert seen.pop("AWS_ACCESS_KEY_ID") == "SANDBOX"
    assert seen.pop("AWS_REGION") == "eu-west-1"
    assert set(seen) == {
        "AWS_SECRET_ACCESS_KEY",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_EC2_METADATA_DISABLED",
    }
    assert seen["AWS_CONFIG_FILE"] == seen["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull
    assert not set(seen.values()) & set(AWS.values())


def test_calls_to_aws_use_the_environment_as_it_is(start: Start) -> None:
    assert said(start(say=SEEN, PORTAL_GRAFANA="aws", **AWS)) == AWS


# -- What else the environment decides ----------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "https", "cookie"),
    [
        ("https://tokens.example.com", True, "__Host-sessionid"),
        ("https://tokens.example.com/", True, "__Host-sessionid"),
        ("http://tokens.example.com:8000", False, "sessionid"),
    ],
)
def test_cookies_are_secure_exactly_when_the_origin_is_https(
    start: Start, origin: str, https: bool, cookie: str
) -> None:
    say = "[s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_NAME]"
    assert said(start(say=say, **PRODUCTION | {"PORTAL_ORIGIN": origin})) == [https, https, cookie]


@pytest.mark.parametrize(("limits", "off"), [("on", False), ("off", True)])
def test_sign_in_limits_are_on_unless_turned_off(start: Start, limits: str, off: bool) -> None:
    shown = start(say="s.ACCOUNT_RATE_LIMITS is False", PORTAL_RATE_LIMITS=limits)
    assert said(shown) is off


def test_a_deep_data_directory_moves_the_broker_to_a_port(tmp_path: Path) -> None:
    """A Unix socket's path may be 107 bytes long."""
    deep = tmp_path / ("d" * 120)
    done = run_python(
        "from portal import settings as s; print(s.CELERY_BROKER_URL)", deep, PORT="8123"
    )
    assert done.stdout == "redis://127.0.0.1:8125/0\n"
