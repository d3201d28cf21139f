"""What a browser complains about, which nobody would see otherwise."""

import re

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, WebError


class Watch:
    """Collects errors on the console (violations of the Content Security Policy are among them),
    exceptions that no script caught, and requests to anybody but ``origin``.
    """

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._expected: list[re.Pattern[str]] = []
        self._seen: list[str] = []

    def over(self, context: BrowserContext) -> None:
        """Watch every page of the context from now on."""
        context.on("console", self._hear)
        context.on("weberror", self._catch)
        context.on("request", self._follow)

    def expect(self, pattern: str) -> None:
        """Complaints in which the regular expression is found are no trouble in this test."""
        self._expected.append(re.compile(pattern))

    def expect_status(self, *statuses: int) -> None:
        """The browser notes on its console that an answer had one of these statuses."""
        for status in statuses:
            self.expect(rf"the server responded with a status of {status}\b")

    @property
    def complaints(self) -> list[str]:
        """What no test expects."""
        return [
            complaint
            for complaint in self._seen
            if not any(pattern.search(complaint) for pattern in self._expected)
        ]

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._seen.append(f"console: {message.text} ({message.location['url']})")

    def _catch(self, error: WebError) -> None:
        self._seen.append(f"exception: {error.error}")

    def _follow(self, request: Request) -> None:
        if not request.url.startswith(f"{self._origin}/"):
            self._seen.append(f"foreign: {request.method} {request.url}")
