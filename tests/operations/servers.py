"""What an operator has before the portal is installed: servers that speak TLS alone, and names.

All on this machine, each by its own name, with one certificate of an authority that is put among
those which the system trusts. Passwords have what URLs must not hold as it is.
"""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

NAMES = {
    "portal": "tokens.example.com",
    "database": "db.example.com",
    "valkey": "valkey.example.com",
    "mail": "mail.example.com",
    "grafana": "grafana.example.com",
}
PASSWORDS = {
    "owner": "own/er@1 %2F",
    "runtime": "p@ss/w:?#1",
    "valkey": "val/key@%1",
    "mail": "mail password",
}
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TLS = Path("/srv/tls")
STATE = Path("/srv/servers")
PROXY_BEFORE_GRAFANA = """
server {{
    listen 443 ssl;
    server_name {grafana};
    ssl_certificate     /etc/ssl/tokens.example.com.pem;
    ssl_certificate_key /etc/ssl/private/tokens.example.com.key;
    location / {{
        proxy_pass http://127.0.0.1:9400;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
    }}
}}
"""
HERE = '#!/bin/sh\nshift\nexec /bin/sh -c "$*"\n'
"""In the place of ssh: the one host is this machine."""


def run(*command: str | Path, user: str | None = None, given: str | None = None) -> str:
    done = subprocess.run(
        command,
        cwd="/",
        user=user,
        input=given,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def certificate() -> None:
    """An authority, and a server's certificate for every name."""
    TLS.mkdir(parents=True)
    TLS.chmod(0o755)
    ca, ca_key, key, wish = (TLS / name for name in ("ca.crt", "ca.key", "key.pem", "wish"))
    new = ("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    authority = (
        "-subj",
        "/CN=An authority of our own",
        "-days",
        "2",
        "-keyout",
        ca_key,
        "-out",
        ca,
    )
    run(*new, "-x509", *authority)
    run(*new, "-subj", f"/CN={NAMES['portal']}", "-keyout", key, "-out", wish)
    names = ",".join(f"DNS:{name}" for name in NAMES.values())
    (TLS / "names").write_text(f"subjectAltName={names}\n")
    by = ("-CA", ca, "-CAkey", ca_key, "-CAcreateserial", "-days", "90", "-extfile", TLS / "names")
    run("openssl", "x509", "-req", "-in", wish, *by, "-out", TLS / "certificate.pem")
    key.chmod(0o644)
    shutil.copy(ca, "/usr/local/share/ca-certificates/of-our-own.crt")
    run("update-ca-certificates")


class Servers:
    def __init__(self) -> None:
        [*_, newest] = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        self._postgres = newest
        self._valkey = shutil.which("valkey-server") or shutil.which("redis-server") or ""
        self._client = self._valkey.replace("-server", "-cli")

    def start(self) -> None:
        # What Debian starts by itself has the ports.
        for unit in ("postgresql", "redis-server", "valkey-server", "nginx", "pgbouncer", "caddy"):
            subprocess.run(["systemctl", "stop", unit], check=False, timeout=60)
        with Path("/etc/hosts").open("a") as hosts:
            hosts.write("".join(f"127.0.0.1 {name}\n" for name in NAMES.values()))
        certificate()
        STATE.mkdir(parents=True)
        STATE.chmod(0o755)
        self._start_postgres()
        subprocess.Popen(
            [
                *(self._valkey, "--port", "0", "--tls-port", "6379", "--tls-auth-clients", "no"),
                *("--tls-cert-file", TLS / "certificate.pem", "--tls-key-file", TLS / "key.pem"),
                *("--tls-ca-cert-file", TLS / "ca.crt", "--save", "", "--bind", "127.0.0.1"),
            ],
            cwd=STATE,
            stdout=subprocess.DEVNULL,
        )
        self._start_nginx()
        (Path("/opt/told") / "here").write_text(HERE)
        (Path("/opt/told") / "here").chmod(0o755)

    def _start_postgres(self) -> None:
        data = STATE / "postgresql"
        data.mkdir(mode=0o700)
        shutil.chown(data, "postgres", "postgres")
        run(self._postgres / "initdb", "-D", data, "-E", "UTF8", user="postgres")
        for name, source in (("server.crt", "certificate.pem"), ("server.key", "key.pem")):
            shutil.copy(TLS / source, data / name)
            shutil.chown(data / name, "postgres", "postgres")
            (data / name).chmod(0o600)
        (data / "pg_hba.conf").write_text(
            "local all postgres peer\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        )
        settings = ("ssl=on", "listen_addresses=127.0.0.1", f"unix_socket_directories={data}")
        options = " ".join(f"-c {one}" for one in settings)
        log = ("-l", str(data / "log"), "-w")
        run(self._postgres / "pg_ctl", "-D", data, *log, "-o", options, "start", user="postgres")

    def postgres(self, script: str) -> None:
        """As its administrator."""
        options = ("-v", "ON_ERROR_STOP=1", "-h", STATE / "postgresql", "-d", "postgres")
        run("psql", *options, user="postgres", given=script)

    def valkey(self, script: str) -> None:
        options = ("-h", NAMES["valkey"], "--tls", "--cacert", CERTIFICATES)
        until = time.monotonic() + 10
        while subprocess.run([self._client, *options, "PING"], check=False).returncode:
            assert time.monotonic() < until
            time.sleep(0.1)
        for line in script.splitlines():
            assert "OK" in run(self._client, *options, *line.split())
        # Nobody comes in without a name.
        assert "OK" in run(
            self._client, *options, "CONFIG", "SET", "requirepass", os.urandom(9).hex()
        )

    def _start_nginx(self) -> None:
        """By the document's example, before one host."""
        shutil.copy(TLS / "certificate.pem", "/etc/ssl/tokens.example.com.pem")
        Path("/etc/ssl/private").mkdir(exist_ok=True)
        shutil.copy(TLS / "key.pem", "/etc/ssl/private/tokens.example.com.key")
        example = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf.example"
        text = example.read_text().replace("10.0.0.1:8000", "127.0.0.1:8000")
        text = re.sub(r"^ *server 10\.0\.0\.2.*\n", "", text, flags=re.MULTILINE)
        version = subprocess.run(
            ["/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=True
        )
        [(major, minor)] = re.findall(r"nginx/(\d+)\.(\d+)", version.stderr)
        if (int(major), int(minor)) < (1, 25):
            # Before 1.25.1 it was an option of listen.
            text = text.replace("    http2 on;\n", "").replace("443 ssl;", "443 ssl http2;")
        text += PROXY_BEFORE_GRAFANA.format(**NAMES)
        Path("/etc/nginx/conf.d/portal.conf").write_text(text)
        subprocess.run(["/usr/sbin/nginx"], check=True, timeout=30)

    def start_surroundings(self, python: Path, checkout: Path) -> None:
        """AMG and the mail server, on what the portal has installed."""
        subprocess.Popen([python, "-m", "tests.operations.surroundings", TLS], cwd=checkout)
        until = time.monotonic() + 30
        while not (TLS / "aws.env").exists():
            assert time.monotonic() < until
            time.sleep(0.1)

    def every_connection_had_tls(self) -> None:
        """The database's by its own word; the others take no other."""
        question = (
            "SELECT count(*), count(*) FILTER (WHERE ssl) "
            "FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr IS NOT NULL"
        )
        options = (
            "-h",
            STATE / "postgresql",
            "-d",
            "portal",
            "-A",
            "-t",
            "-F",
            " ",
            "-c",
            question,
        )
        connections, with_tls = map(int, run("psql", *options, user="postgres").split())
        assert connections == with_tls > 0
