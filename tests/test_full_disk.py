"""The data folder's disk is full: a start and a command say so on one line, and a product that runs
goes on reading until there is room again."""

from pathlib import Path

import requests

from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair, Person
from tests.product import within
from tests.small_disk import ProductOnSmallDisk, below_quota, manage, on_small_disk, way_to_mount

WELL = {"status": "ok", "degraded": []}


def one_line(before: tuple[str, ...], command: str, **settings: str) -> str:
    """What a command says that ends because of the disk."""
    done = manage(before, command, **settings)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stdout
    [line] = done.stderr.splitlines()
    return line


def test_a_start_in_a_folder_without_room_names_it_and_what_to_do(tmp_path: Path) -> None:
    line = one_line(on_small_disk(tmp_path, 64), "run", PORTAL_DATA_DIR=str(tmp_path))
    assert f"16 MB can't be written to PORTAL_DATA_DIR ({tmp_path}): " in line
    assert line.endswith("Make room there, or set PORTAL_DATA_DIR to a folder elsewhere.")


def test_a_start_without_room_for_static_files_names_their_folder(tmp_path: Path) -> None:
    static = tmp_path / "static files"
    static.mkdir()
    settings = {"PORTAL_DATA_DIR": str(tmp_path / "data"), "PORTAL_STATIC_ROOT": str(static)}
    line = one_line(on_small_disk(static, 64), "run", **settings)
    # A limit knows no folders: the first that is asked is named.
    named = f"PORTAL_STATIC_ROOT ({static})" if way_to_mount() else "PORTAL_DATA_DIR"
    assert f"16 MB can't be written to {named}" in line


def test_a_start_that_can_not_even_write_its_secrets_names_the_folder(tmp_path: Path) -> None:
    line = one_line(below_quota(0), "run", PORTAL_DATA_DIR=str(tmp_path))
    assert line == (
        f"portal: setting PORTAL_DATA_DIR names what can't be used ({tmp_path}): File too large"
    )
    assert list(tmp_path.iterdir()) == [], "no draft of them stays"


def test_a_command_over_its_quota_names_the_database_and_what_to_do(tmp_path: Path) -> None:
    line = one_line(below_quota(16), "migrate", PORTAL_DATA_DIR=str(tmp_path))
    assert line.startswith(
        f"portal: the database can't be used (SQLite, {tmp_path / 'portal.sqlite3'}): "
    )
    assert line.endswith("(make room on its disk, or raise this user's quota)")


def test_a_product_without_room_is_read_and_saves_again_once_there_is_some(keys: KeyPair) -> None:
    with ProductOnSmallDisk() as product:
        engineer = product.sign_in("engineer@example.com")
        engineer.get("/tokens/new/")
        with product.full():
            page = send_form(engineer, keys)
            assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
            assert "not save anything" in page.text
            assert 'value="as typed"' in page.text
            assert engineer.get("/tokens/").status_code == 200
            ready = requests.get(f"{product.url}/readyz", timeout=30)
            assert (ready.status_code, ready.json()["degraded"][0]) == (200, "database")
            metrics = requests.get(f"{product.url}/metrics", timeout=30).text
            assert "portal_database_writable 0.0" in metrics
            # What it writes to, and what has nothing to write with, start again by themselves.
            for name in ("broker", "sandbox"):
                product.kill(name)
            assert requests.get(f"{product.url}/healthz", timeout=30).status_code == 200
        assert within(30, lambda: send_form(engineer, keys).status_code == 302)
        assert within(60, lambda: requests.get(f"{product.url}/readyz", timeout=30).json() == WELL)
        token = engineer.request(
            keys, workspace=PROD, service_account="2", name="room", seconds_to_live="3600"
        )
        assert engineer.take(keys, token).startswith("glsa_")
        assert "Traceback" not in product.log()


def send_form(person: Person, keys: KeyPair) -> requests.Response:
    return person.post(
        "/tokens/new/",
        public_key=keys.public,
        workspace=PROD,
        service_account="2",
        name="full",
        seconds_to_live="3600",
        reason="as typed",
    )
