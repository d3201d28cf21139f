"""Folders whose names mean something in a URL: everything of the portal stays inside them."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair
from tests.product import Product, read_settings

NAMES = [
    "c#one",
    "c#two",
    "50%41",
    "what?x=1",
    "a;b",
    "a+b",
    "two words",
    "größe",
    "[1]",
    "a@b:1",
    "&=$",
]
SHOWN = (
    "[s.DATABASE['NAME'], s.EMAIL_FILE_PATH, s.BROKER.path, str(s.STATIC_ROOT), s.AUDIT_HEAD_FILE]"
)


@pytest.mark.parametrize("name", NAMES)
def test_every_file_of_the_embedded_default_lies_in_its_folder(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    code = f"import json; from portal import settings as s; print(json.dumps({SHOWN}))"
    done = read_settings(code, folder)
    assert done.returncode == 0, done.stderr
    files = ["portal.sqlite3", "mails", "broker.sock", "static", "audit-heads.jsonl"]
    assert [Path(path) for path in json.loads(done.stdout)] == [folder / file for file in files]


def test_the_whole_product_runs_in_such_a_folder(tmp_path: Path, keys: KeyPair) -> None:
    name = "c#one 50%41 what?x=1;b+c&d=[1]@größe:1"
    folder = tmp_path / name
    folder.mkdir()
    with Product(folder, PORTAL_STATIC_ROOT=str(folder / "static #1")) as product:
        engineer = product.sign_in("engineer@example.com")
        token = engineer.request(
            keys, workspace=PROD, service_account="2", name="ci", seconds_to_live="3600"
        )
        assert engineer.take(keys, token).startswith("glsa_")
        page = engineer.get("/tokens/").text
        [script, *_] = [part.split('"')[0] for part in page.split('src="')[1:] if ".js" in part]
        assert requests.get(product.url + script, timeout=10).status_code == 200
        ready = requests.get(f"{product.url}/readyz", timeout=10).json()
        assert "broker" not in ready["degraded"]
    assert {path.name for path in tmp_path.iterdir()} == {name}, "nothing lies beside it"


def test_two_folders_that_begin_alike_have_two_databases(tmp_path: Path) -> None:
    code = "from portal import settings as s; print(s.SECRET_KEY, s.DATABASE['NAME'])"
    one, two = (read_settings(code, tmp_path / name).stdout for name in ("c#one", "c#two"))
    assert one != two
    assert "c#one" in one
    assert {path.name for path in tmp_path.iterdir()} == {"c#one", "c#two"}


PRODUCTION = {
    "SECRET_KEY": "a secret that nobody else has, 1",
    "AUDIT_KEY": "a key that nobody else has, 2345",
    "ALLOWED_HOSTS": "tokens.example.com",
    "PORTAL_ORIGIN": "https://tokens.example.com",
    "CELERY_BROKER_URL": "redis://127.0.0.1/0",
    "EMAIL_URL": "filemail:///var/mails",
}


def production(tmp_path: Path, say: str, **settings: str) -> str:
    code = f"from portal import settings as s; print({say})"
    done = read_settings(code, tmp_path, **PRODUCTION | settings)
    return done.stdout.strip() or done.stderr.strip()


@pytest.mark.parametrize("name", NAMES)
def test_a_path_in_a_url_is_percent_encoded_and_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "of mine"
    told = production(
        tmp_path,
        "s.DATABASE['NAME'], s.EMAIL_FILE_PATH, s.BROKER.path, sep='|'",
        DATABASE_URL=f"sqlite:///{quote(str(path))}",
        EMAIL_URL=f"filemail://{quote(str(path))}",
        CELERY_BROKER_URL=f"unix://{quote(str(path))}",
    )
    assert told.split("|") == [str(path)] * 3


@pytest.mark.parametrize("sign", ["#", ";"])
@pytest.mark.parametrize(
    ("setting", "url"),
    [("DATABASE_URL", "sqlite:////data/a{}b/c"), ("EMAIL_URL", "filemail:///a{}b")],
)
def test_a_path_that_a_url_would_cut_off_is_refused(
    tmp_path: Path, setting: str, url: str, sign: str
) -> None:
    settings = {"DATABASE_URL": "sqlite:////data/portal", setting: url.format(sign)}
    told = production(tmp_path, "", **settings)
    assert told.startswith(
        f"portal: setting {setting} has “#” or “;” in its path: write %23 or %3B"
    )


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("postgres://u:p@%2Frun%2FpostgreSQL/db", "/run/postgreSQL", ""),
        ("postgres://u:p@%2frun%2fpg:5433/db", "/run/pg", "5433"),
        ("postgres:////run/postgreSQL/db", "/run/postgreSQL", ""),
        ("postgres://u:p@db.example.com:5433/db", "db.example.com", "5433"),
        ("postgres://u:p%2Fw@[2001:db8::1]/db", "2001:db8::1", ""),
    ],
)
def test_postgresql_is_found_by_its_sockets_folder(
    tmp_path: Path, url: str, host: str, port: str
) -> None:
    told = production(
        tmp_path, "*(s.DATABASE[k] for k in ('HOST', 'PORT', 'NAME')), sep='|'", DATABASE_URL=url
    )
    assert told.split("|") == [host, port, "db"]
