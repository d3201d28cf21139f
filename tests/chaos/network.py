"""Two hosts on one machine: network namespaces on a bridge, whose links can be cut.

Everything happens in a network namespace of this process's own (``unshare --net --mount``), so
ports and addresses meet nobody else's. Wants root, and Debian's iproute2.
"""

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = "10.77.0.1"
"""Where the servers, the proxy and the people are."""


def ip(*arguments: str) -> str:
    done = subprocess.run(
        ["ip", *arguments], check=True, capture_output=True, text=True, timeout=20
    )
    return done.stdout


def lay() -> None:
    """The bridge, with this side's address."""
    # Names of namespaces are files; these are nobody else's, and gone with this process.
    Path("/run/netns").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "hosts", "/run/netns"], check=True, timeout=20)
    ip("link", "add", "bridge", "type", "bridge")
    ip("address", "add", f"{HERE}/24", "dev", "bridge")
    ip("link", "set", "bridge", "up")


@dataclass(frozen=True, slots=True)
class Host:
    """A host of the portal; ``number`` is the last part of its address."""

    name: str
    number: int

    @property
    def address(self) -> str:
        return f"10.77.0.{self.number}"

    @property
    def _link(self) -> str:
        return f"to-{self.name}"

    def connect(self) -> None:
        ip("netns", "add", self.name)
        ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("link", "set", self._link, "master", "bridge", "up")
        ip("-n", self.name, "address", "add", f"{self.address}/24", "dev", "eth0")
        ip("-n", self.name, "link", "set", "eth0", "up")
        ip("-n", self.name, "link", "set", "lo", "up")

    def command(self, *command: str) -> list[str]:
        """The same command, run there."""
        return ["ip", "netns", "exec", self.name, *command]

    def cut_off(self) -> None:
        """As when its cable is pulled: nobody is told, and what it has sent comes nowhere."""
        ip("link", "set", self._link, "down")

    def bring_back(self) -> None:
        ip("link", "set", self._link, "up")

    def kill(self) -> None:
        """As when it loses power: no process ends anything."""
        for pid in ip("netns", "pids", self.name).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
