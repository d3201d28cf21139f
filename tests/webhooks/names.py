"""Names as a test has them, instead of DNS."""

import socket
from typing import Any

import pytest


class Names:
    """What names are looked up as, instead of by DNS; each answer once, the last for good."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
            if host not in self._answers:
                return real(host, port, *arguments, **named)
            self.asked.append(host)
            answers = self._answers[host]
            found = answers.pop(0) if len(answers) > 1 else answers[0]
            if not found:
                raise socket.gaierror
            kinds = {True: socket.AF_INET6, False: socket.AF_INET}
            return [(kinds[":" in one], socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    def say(self, host: str, *answers: list[str]) -> None:
        self._answers[host] = list(answers)
