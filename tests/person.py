"""A person at a browser, as far as HTTP shows one: what the pages' scripts do, in Python.

Used against a running portal by the end-to-end tests and the benchmarks. The real browser's side is
tested in tests/browser.
"""

import base64
import hashlib
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.totp import code_of

SEED = re.compile(r'id="authenticator_secret"[^>]* value="([A-Z2-7]+)"')
CSRF = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(slots=True)
class KeyPair:
    """What a browser makes while its person fills in the form."""

    private: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=3072)
    )

    @property
    def public(self) -> str:
        return base64.b64encode(
            self.private.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        ).decode()

    def open(self, sealed_key: str, token_id: str) -> str:
        return self.private.decrypt(
            base64.b64decode(sealed_key),
            padding.OAEP(
                mgf=padding.MGF1(hashes.SHA256()),
                algorithm=hashes.SHA256(),
                label=f"grafana-token:{token_id}".encode(),
            ),
        ).decode()


class Person:
    """Somebody with a session at a portal."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.http = requests.Session()
        self.http.trust_env = False
        self.csrf = ""

    def sign_in(self, email: str, password: str) -> None:
        page = self.http.get(f"{self.url}/accounts/login/", timeout=30)
        answer = self.http.post(
            f"{self.url}/accounts/login/",
            data={
                "login": email,
                "password": password,
                "csrfmiddlewaretoken": _csrf(page.text),
            },
            allow_redirects=False,
            timeout=60,
        )
        if answer.status_code != 302:
            raise AssertionError(f"sign-in of {email} answered {answer.status_code}")
        if self.get("/tokens/").headers.get("Location") == "/accounts/2fa/":
            self.add_app()
        self.csrf = _csrf(self.get("/tokens/new/").text)

    def add_app(self) -> None:
        """Add an authenticator app: whom PORTAL_SECOND_FACTOR means can do nothing else before."""
        page = self.get("/accounts/2fa/totp/activate/").text
        self.csrf = _csrf(page)
        found = SEED.search(page)
        if found is None:
            raise AssertionError("no seed on the page")
        added = self.post("/accounts/2fa/totp/activate/", code=code_of(found[1]))
        if added.status_code != 302:
            raise AssertionError(f"adding an app answered {added.status_code}")
        self.csrf = _csrf(self.get("/accounts/2fa/recovery-codes/").text)
        self.post("/accounts/2fa/recovery-codes/")

    def get(self, path: str, **options: object) -> requests.Response:
        return self.http.get(
            f"{self.url}{path}",
            allow_redirects=False,
            timeout=30,
            **options,  # type: ignore[arg-type]
        )

    def post(self, path: str, **data: str) -> requests.Response:
        return self.http.post(
            f"{self.url}{path}",
            data={"csrfmiddlewaretoken": self.csrf, **data},
            allow_redirects=False,
            timeout=60,
        )

    def request(self, keys: KeyPair, **fields: str) -> str:
        """Send the request form; the id of the new token."""
        answer = self.post("/tokens/new/", public_key=keys.public, **fields)
        if answer.status_code != 302:
            raise AssertionError(f"the request answered {answer.status_code}")
        return urlsplit(answer.headers["Location"]).path.split("/")[2]

    def take(self, keys: KeyPair, token_id: str, *, polls: int = 8) -> str:
        """Wait for the sealed key, open it, confirm it, and return it."""
        for _ in range(polls):
            answer = self.get(f"/tokens/{token_id}/sealed/?wait=15")
            if answer.status_code != 202:
                break
        if answer.status_code != 200:
            raise AssertionError(f"sealed answered {answer.status_code}: {answer.text[:300]}")
        key = keys.open(answer.json()["sealed_key"], token_id)
        confirmed = self.post(
            f"/tokens/{token_id}/delivered/", fingerprint=hashlib.sha256(key.encode()).hexdigest()
        )
        if confirmed.status_code != 200:
            raise AssertionError(f"delivered answered {confirmed.status_code}")
        return key


def _csrf(html: str) -> str:
    found = CSRF.search(html)
    if found is None:
        raise AssertionError("no CSRF token on the page")
    return found[1]
