"""Two versions with other static files behind one proxy, which sends each request to either."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
import requests

from tests.product import ROOT, within
from tests.servers import Redis, free_port
from tests.web import serving

NGINX = """
daemon off; pid {directory}/nginx.pid; error_log stderr; worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  upstream portal {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://portal; proxy_set_header Host $http_host; }}
  }}
}}
"""
FILES = re.compile(r'"/static/([^"]+)"')
COPIED = ("portal", "static", "templates", "deploy", "manage.py")


def next_version(directory: Path) -> Path:
    """A checkout whose scripts and styles are all other ones."""
    for name in COPIED:
        of = ROOT / name
        if of.is_dir():
            shutil.copytree(of, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(of, directory / name)
    for file in [*directory.glob("static/js/*.js"), *directory.glob("static/css/*.css")]:
        file.write_text(f"{file.read_text()}\n/* the next version */\n")
    return directory


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[int], Redis]]:
    """Where nginx listens, where both versions do, and what they share."""
    with ExitStack() as stack:
        shared = Redis()
        shared.start()
        stack.callback(shared.stop)
        directory, port = tmp_path_factory.mktemp("nginx"), free_port()
        settings = {
            "CELERY_BROKER_URL": shared.url,
            "PORTAL_ORIGIN": f"http://127.0.0.1:{port}",
            "ALLOWED_HOSTS": "127.0.0.1,tokens.example.com",
        }
        before = stack.enter_context(serving(tmp_path_factory.mktemp("before"), **settings))
        tree = next_version(tmp_path_factory.mktemp("tree"))
        after = stack.enter_context(serving(tmp_path_factory.mktemp("after"), tree, **settings))
        ports = [before.port, after.port]
        lines = " ".join(f"server 127.0.0.1:{one};" for one in ports)
        config = directory / "nginx.conf"
        config.write_text(NGINX.format(directory=directory, servers=lines, port=port))
        nginx = subprocess.Popen(
            ["/usr/sbin/nginx", "-c", str(config), "-p", str(directory)], stderr=subprocess.DEVNULL
        )
        stack.callback(nginx.wait, 10)
        stack.callback(nginx.terminate)
        url = f"http://127.0.0.1:{port}"
        assert within(10, lambda: answers(f"{url}/healthz"))
        yield url, ports, shared


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def named(page: str) -> set[str]:
    return set(FILES.findall(page))


def test_every_file_of_either_version_comes_from_both(
    servers: tuple[str, list[int], Redis],
) -> None:
    url, ports, _ = servers
    pages = [
        named(requests.get(f"http://127.0.0.1:{port}/accounts/login/", timeout=10).text)
        for port in ports
    ]
    scripts = [{name for name in names if name.endswith(".js")} for names in pages]
    assert min(map(len, scripts)) > 3
    assert not scripts[0] & scripts[1], "they are two versions"
    for name in pages[0] | pages[1]:
        copies = []
        for _ in range(4):
            answer = requests.get(f"{url}/static/{name}", timeout=10)
            assert answer.status_code == 200, name
            assert "no-store" not in answer.headers["Cache-Control"]
            copies.append((answer.content, answer.headers["Content-Type"]))
        assert len(set(copies)) == 1, name


def test_a_file_that_no_version_has_is_not_found(servers: tuple[str, list[int], Redis]) -> None:
    url, _, _ = servers
    answer = requests.get(f"{url}/static/js/page.0123456789ab.js", timeout=10)
    assert (answer.status_code, answer.text) == (404, "This version has no such file.\n")


def test_what_somebody_else_has_written_there_is_not_served(
    servers: tuple[str, list[int], Redis],
) -> None:
    url, ports, shared = servers
    page = requests.get(f"http://127.0.0.1:{ports[1]}/accounts/login/", timeout=10).text
    name = next(name for name in sorted(named(page)) if name.endswith(".js"))
    old = f"http://127.0.0.1:{ports[0]}/static/{name}"
    assert requests.get(old, timeout=10).status_code == 200
    with redis.Redis.from_url(shared.url) as client:
        kept = client.get(f"portal:static:{name}")
        assert isinstance(kept, bytes)
        client.set(f"portal:static:{name}", kept + b"steal()")
        assert requests.get(old, timeout=10).status_code == 404
        client.set(f"portal:static:{name}", kept)
        client.set("portal:static:js/other.0123456789ab.js", kept)
    assert requests.get(old, timeout=10).status_code == 200
    other = requests.get(f"{url}/static/js/other.0123456789ab.js", timeout=10)
    assert other.status_code == 404, "signed for another name"
