"""A company's OpenID provider, over HTTP, that can be told to err.

It is the sandbox's own provider with what each test changes: ``claims`` and ``profile`` of what it
says, ``answers`` of how its addresses answer, ``signs`` of how its tokens are signed.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives import serialization

from portal.embedded.sign_in.provider import Grant, Provider, Somebody
from portal.embedded.sign_in.server import Handler, Server
from portal.openid_settings import CALLBACK, OpenID
from tests.servers import free_port

SECRET = "a client's secret"
CLIENT = "token-portal"


class ErringProvider(Provider):
    """Says what a test wants; ``None`` as a claim leaves it out."""

    def __init__(self, port: int, origin: str) -> None:
        super().__init__(
            f"http://127.0.0.1:{port}",
            [],
            client_id=CLIENT,
            client_secret=SECRET,
            redirect_uri=f"{origin}{CALLBACK}",
        )
        self.port = port
        self.settings = OpenID(
            issuer=self.issuer,
            client_id=CLIENT,
            client_secret=SECRET,
            name="Example ID",
            scopes=("openid", "profile", "email"),
            groups_claim="groups",
            trusts_email=False,
        )
        self.reset()

    def reset(self) -> None:
        self.people.clear()
        self.sessions.clear()
        self.token_claims: dict[str, Any] = {}
        self.userinfo_claims: dict[str, Any] = {}
        self.configured: dict[str, Any] = {}
        self.answers: dict[str, Callable[[Handler], None]] = {}
        self.signs: Callable[[dict[str, Any]], str] = super().sign
        self.asked: list[dict[str, str]] = []

    def person(self, email: str, *groups: str, **more: Any) -> Somebody:
        self.people[email] = Somebody(email, groups=list(groups), **more)
        return self.people[email]

    def configuration(self) -> dict[str, Any]:
        return _changed(super().configuration(), self.configured)

    def claims(self, grant: Grant) -> dict[str, Any]:
        return _changed(super().claims(grant), self.token_claims)

    def userinfo(self, access_token: str) -> dict[str, Any]:
        return _changed(super().userinfo(access_token), self.userinfo_claims)

    def sign(self, claims: dict[str, Any]) -> str:
        return self.signs(claims)

    def sign_out_token(self, **changed: Any) -> str:
        """A message of back-channel logout."""
        now = int(time.time())
        event: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
        said = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "events": event}
        return self.sign(_changed(said | {"jti": f"{time.monotonic_ns()}"}, changed))

    def unsigned(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, "", algorithm="none")

    def signed_with_the_public_key(self, claims: dict[str, Any]) -> str:
        """HS256 with what everybody may know as the secret."""
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        header = {"alg": "HS256", "typ": "JWT", "kid": self.kid}
        text = ".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{_base64(hmac.digest(public, text.encode(), hashlib.sha256))}"


def _changed(said: dict[str, Any], changed: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (said | changed).items() if value is not None}


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class ErringHandler(Handler):
    def _answer(self, what: str, said: dict[str, str]) -> None:
        provider = self.server.provider
        assert isinstance(provider, ErringProvider)
        if what == "/authorize":
            provider.asked.append(said)
        if answer := provider.answers.get(what.removeprefix("POST ")):
            answer(self)
        else:
            super()._answer(what, said)


def html(handler: Handler) -> None:
    handler.send_page("Sorry", "<p>We are having a moment.</p>")


def broken(handler: Handler) -> None:
    handler.send_json({"error": "server_error"}, 500)


def nothing(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.close()


@contextmanager
def running(origin: str) -> Iterator[ErringProvider]:
    """The provider of one portal, which is reached at ``origin``."""
    provider = ErringProvider(free_port(), origin)
    server = Server(provider.port, provider, ErringHandler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def choose(address: str, email: str) -> str:
    """Sign in at the provider, as a browser that was sent to ``address``; returns the way back."""
    url = urlsplit(address)
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    answer = requests.post(
        f"{url.scheme}://{url.netloc}/choose",
        {**query, "email": email},
        allow_redirects=False,
        timeout=10,
    )
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]
