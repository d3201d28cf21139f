"""TLS to each server that production speaks to, with the lines that the documents give."""

import os
import pwd
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from portal import authorities
from portal.valkey import WrongUrlError
from tests.grafana.certificates import Certificate, self_signed
from tests.product import run_python
from tests.servers import Postgres
from tests.test_environment import PRODUCTION
from tests.tls import MailServer, ask_for_tls

ASK = """
import django
django.setup()
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    print(cursor.fetchone()[0])
"""
MAIL = """
import django
django.setup()
from django.core.mail import send_mail
send_mail("A token ends", "Soon.", None, ["engineer@example.com"])
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def postgres(certificate: Certificate) -> Iterator[str]:
    """The URL of a PostgreSQL that speaks TLS alone, without options."""
    # Not pytest's own directory, which PostgreSQL's user can't reach.
    directory = Path(tempfile.mkdtemp(prefix="portal-tls-"))
    server = Postgres(directory)
    server.start()
    with psycopg.connect(server.url, autocommit=True) as database:
        for setting in ask_for_tls(server.data, certificate):
            database.execute(f"ALTER SYSTEM SET {setting}")
    for file in ("server.crt", "server.key", "pg_hba.conf"):
        if server.user:
            shutil.chown(server.data / file, server.user, server.user)
    with psycopg.connect(server.url, autocommit=True) as database:
        database.execute("SELECT pg_reload_conf()")
    yield server.url
    server.stop()
    shutil.rmtree(directory, ignore_errors=True)


def production(**settings: str) -> dict[str, str]:
    return {**PRODUCTION, "AWS_REGION": "eu-west-1", **settings}


def test_the_documents_line_proves_who_the_database_is(
    postgres: str, certificate: Certificate
) -> None:
    url = f"{postgres}?sslmode=verify-full&sslrootcert=system"
    done = run_python(ASK, **production(DATABASE_URL=url, SSL_CERT_FILE=str(certificate.bundle)))
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr
    done = run_python(ASK, **production(DATABASE_URL=url))
    assert done.returncode != 0
    assert "certificate verify failed" in done.stderr


def test_an_authority_of_ones_own_is_named_by_its_file(
    postgres: str, certificate: Certificate
) -> None:
    url = f"{postgres}?sslmode=verify-full&sslrootcert={certificate.bundle}"
    done = run_python(ASK, **production(DATABASE_URL=url))
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


def test_system_is_the_file_that_this_system_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authorities.system_bundle())
    assert len(context.get_ca_certs()) > 50


def test_system_without_the_check_of_the_name_is_refused() -> None:
    with pytest.raises(WrongUrlError, match="verify-full"):
        authorities.use_for_libpq({"sslrootcert": "system", "sslmode": "require"})


@pytest.mark.parametrize(
    ("name", "url", "option"),
    [
        ("DATABASE_URL", "postgres://u@h/d?sslmode=verify-full&sslrootcert={}", "sslrootcert"),
        ("DATABASE_URL", "postgres://u@h/d?sslcert={}&sslkey={}", "sslcert"),
        ("CELERY_BROKER_URL", "rediss://h:6379/0?ssl_ca_certs={}", "ssl_ca_certs"),
        ("CACHE_URL", "rediss://h:6379/0?ssl_certfile={}", "ssl_certfile"),
    ],
)
def test_a_file_that_is_not_there_stops_the_start_and_is_named(
    tmp_path: Path, name: str, url: str, option: str
) -> None:
    file = tmp_path / "authority.pem"
    done = run_python("import portal.settings", **production(**{name: url.format(file, file)}))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith(
        f"portal: setting {name} names a file in {option} that this user can't read "
        f"({file}: No such file or directory)"
    )


def test_a_file_that_this_user_may_not_read_is_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "authority.pem"
    file.write_text("")
    file.chmod(0)
    before = os.geteuid()
    if before == 0:  # who may read anything
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        with pytest.raises(WrongUrlError, match=r"authority\.pem: Permission denied"):
            authorities.require_all_readable({"ssl_ca_certs": str(file)})
    finally:
        os.seteuid(before)


def test_mail_goes_out_over_starttls_to_a_server_that_proves_who_it_is(
    certificate: Certificate,
) -> None:
    with MailServer(certificate) as server:
        url = f"smtp+tls://portal:mail-password@127.0.0.1:{server.port}"
        done = run_python(MAIL, **production(EMAIL_URL=url))
        assert "certificate verify failed" in done.stderr
        assert server.mails == []
        done = run_python(MAIL, **production(EMAIL_URL=url, SSL_CERT_FILE=str(certificate.bundle)))
        assert done.returncode == 0, done.stderr
        [mail] = server.mails
        assert "A token ends" in mail
