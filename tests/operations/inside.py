"""docs/OPERATIONS.md, line by line, on a machine of its own (deploy/checks/install.sh boots it).

Every block of the document is run as it stands, in its order; what it leaves to its reader
(passwords, host names, where the portal is cloned from) is put in, and nothing else is changed. A
block that is not known here, or one that is not there any more, fails. Uses the standard library
alone: the portal's own is not installed yet.
"""

import contextlib
import os
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from tests.operations import document
from tests.operations.servers import CERTIFICATES, NAMES, PASSWORDS, TLS, Servers

TOLD = Path("/opt/told")
PORTAL = Path("/opt/portal")
BINARIES = PORTAL / ".venv" / "bin"
ETC = Path("/etc/portal")
AROUND = Path(__file__).resolve().parents[2]

OWNER = quote(PASSWORDS["owner"], safe="")
LEFT_TO_THE_READER = {
    "git clone ... ": f"git clone --quiet {TOLD}/portal.git ",
    "owner LOGIN PASSWORD '...'": f"owner LOGIN PASSWORD '{PASSWORDS['owner']}'",
    "runtime LOGIN PASSWORD '...'": f"runtime LOGIN PASSWORD '{PASSWORDS['runtime']}'",
    # PostgreSQL's own programs know sslrootcert=system from 16 on.
    "portal_owner@.../portal": f"portal_owner:{OWNER}@{NAMES['database']}/portal"
    f"?sslmode=verify-full&sslrootcert={CERTIFICATES}",
    ">PASSWORD": f">{PASSWORDS['valkey']}",
    "app1.internal app2.internal": "app1.internal app1.internal",
}
"""In the document; for this machine."""

NEEDS_A_TERMINAL = {"createsuperuser"}
"""It asks for a password there."""


def held(what: str, since: float) -> None:
    with (TOLD / "held").open("a") as file:
        file.write(f"{what} ({time.monotonic() - since:.1f} s)\n")


def filled_in(text: str) -> str:
    for said, meant in LEFT_TO_THE_READER.items():
        text = text.replace(said, meant)
    return text


def shell(script: str, *, given: str = "", folder: Path = PORTAL) -> str:
    """What bash prints; it ends at the first line that fails."""
    print(f"$ {script.rstrip()}", flush=True)
    done = subprocess.run(
        ["/bin/bash", "-ec", script],
        cwd=folder if folder.exists() else "/",
        input=given,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        check=False,
    )
    print(done.stdout, flush=True)
    if done.returncode:
        raise FailedError(f"exit status {done.returncode} of: {script}")
    return done.stdout


class FailedError(Exception):
    """A line of the document did not do what it says."""


class Reader:
    """Somebody who does what the document says."""

    def __init__(self) -> None:
        self.text = document.DOCUMENT.read_text()
        self.blocks = document.blocks(self.text)
        self.servers = Servers()
        self.manage = ""
        self.began = time.monotonic()

    def take(self, first: str) -> str:
        """The next block, which begins so."""
        block = self.blocks.pop(0)
        if block.first != first:
            raise SystemExit(f"The document goes on with {block.first!r}, and not with {first!r}.")
        return filled_in(block.text)

    def portal_manage(self, command: str) -> str:
        return shell(f"{self.manage}\nportal-manage {command}")

    def run(self) -> None:
        since = time.monotonic()
        self.servers.start()
        self.blocks.sort(
            key=lambda block: not block.text.startswith("ACL")
        )  # its server is there before
        self.servers.valkey(self.take("ACL SETUSER"))
        held("PostgreSQL, Valkey's rights, nginx, each with TLS: there before", since)
        self.began = since = time.monotonic()
        shell(self.take("useradd --system"))
        held("installed", since)
        self.servers.start_surroundings(BINARIES / "python", AROUND)
        encoded = {}
        script = self.take("python3 -c")
        for name, password in PASSWORDS.items():
            encoded[name] = shell(script, given=f"{password}\n").strip()
            assert encoded[name] == quote(password, safe="")
        self.fill_in_settings(encoded)
        self.servers.postgres(self.take("CREATE ROLE"))
        since = time.monotonic()
        shell(self.take("systemctl start"))
        self.wait_until_ready()
        held("migrated, started, ready", since)
        since = time.monotonic()
        (PORTAL / "access.yml").write_text(self.take("version: 1"))
        first = self.take("portal-manage() {")
        self.manage = first[: first.index("\n", first.index('"$@"; }'))]
        link = shell(first).split()[-1]
        held("the first access file applied, its admin invited", since)
        since = time.monotonic()
        person = [str(BINARIES / "python"), "-m", "tests.operations.first_token"]
        person += [link, str(CERTIFICATES), f"https://{NAMES['grafana']}"]
        subprocess.run(person, cwd=AROUND, check=True, timeout=120)
        held("a password set, a second factor added, a token issued, its key taken and used", since)
        held("FROM A CLEAN MACHINE TO A KEY", self.began)
        self.every_command()
        self.credentials()
        since = time.monotonic()
        shell(f"REMOTE={TOLD}/here {self.take('deploy/rolling-restart.sh app1.internal')}")
        held("restarted, one host after another", since)
        if self.blocks:
            raise SystemExit(f"Nobody ran the block that begins {self.blocks[0].first!r}.")
        self.servers.every_connection_had_tls()
        held("every connection to PostgreSQL, Valkey and the mail server had TLS", time.monotonic())

    def fill_in_settings(self, encoded: dict[str, str]) -> None:
        """portal.env from its example: what that leaves open is put in."""
        lines = []
        example = (ETC / "portal.env").read_text()
        [make] = [
            line[2:] for line in example.splitlines() if line.startswith("# python3 -c 'import sec")
        ]
        for line in example.splitlines():
            name, mark, value = line.partition("=")
            if line.startswith("#") or not mark:
                continue
            if name in ("SECRET_KEY", "AUDIT_KEY"):
                value = shell(make).strip()
            elif name == "PORTAL_SCIM_TOKEN":
                continue
            value = value.replace("portal_runtime:PASSWORD", f"portal_runtime:{encoded['runtime']}")
            value = value.replace("//:PASSWORD", f"//portal:{encoded['valkey']}")
            value = value.replace("USER:PASSWORD", f"portal:{encoded['mail']}")
            lines.append(f"{name}={value}\n")
        self.write("portal.env", "".join(lines))
        [url] = [line for line in lines if line.startswith("DATABASE_URL=")]
        owner = url.replace(
            f"portal_runtime:{encoded['runtime']}", f"portal_owner:{encoded['owner']}"
        )
        self.write("owner.env", owner)
        aws = (TLS / "aws.env").read_text()
        aws += (
            f"AWS_ENDPOINT_URL_GRAFANA=https://{NAMES['grafana']}\nAWS_CA_BUNDLE={CERTIFICATES}\n"
        )
        self.write("aws.env", aws)

    def write(self, name: str, text: str) -> None:
        (ETC / name).touch(mode=0o600)
        (ETC / name).write_text(text)

    def wait_until_ready(self) -> None:
        [ask] = [one for one in document.inline(self.text) if one.startswith("curl")]
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(FailedError):
                if '"status"' in shell(f"{ask} --fail"):
                    return
            time.sleep(0.5)
        raise SystemExit("The portal did not get ready.")

    def every_command(self) -> None:
        """The table of commands, and those within sentences."""
        since = time.monotonic()
        said = [one.removeprefix("portal-manage ") for one in document.inline(self.text)]
        said = [one for one in said if not one.startswith("curl")]
        said += document.commands(self.text)
        done = 0
        for command in dict.fromkeys(said):
            if command.split()[0] in NEEDS_A_TERMINAL:
                continue
            self.portal_manage(
                command.replace("FILE", "/opt/portal/access.yml").replace(
                    "EMAIL", "you@example.com"
                )
            )
            done += 1
        held(f"{done} commands of the document, each with exit status 0", since)

    def credentials(self) -> None:
        """A secret that systemd hands over as a file, for a unit and for a command."""
        since = time.monotonic()
        text = (ETC / "portal.env").read_text()
        [line] = [one for one in text.splitlines() if one.startswith("SECRET_KEY=")]
        self.write("secret-key", line.removeprefix("SECRET_KEY="))
        self.write("portal.env", text.replace(line + "\n", ""))
        shell(self.take("mkdir -p"))
        self.wait_until_ready()
        shell(self.take("portal-manage() {") + "portal-manage doctor\n")
        held("SECRET_KEY by LoadCredential: services and commands", since)


def main() -> None:
    log = os.open(TOLD / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    for standard in (1, 2):
        os.dup2(log, standard)
    Reader().run()
    (TOLD / "all").touch()


if __name__ == "__main__":
    main()
