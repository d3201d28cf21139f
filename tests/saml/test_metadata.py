"""The provider's metadata: whose keys count, and what happens while they can't be read."""

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.identity import SignInError
from portal.identity.saml import metadata
from portal.identity.saml.metadata import Source, parse
from tests.saml.process import ProviderProcess

SSO = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"


def described(
    *,
    entity_id: str = "https://idp.example.com/",
    location: str = "https://idp.example.com/sso?a=1&amp;b=2",
    binding: str = SSO,
    keys: tuple[tuple[str, str], ...] = (("signing", "AAAA"),),
    more: str = "",
) -> bytes:
    descriptors = "".join(
        f'<KeyDescriptor use="{use}"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>'
        f"<X509Certificate>{key}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
        for use, key in keys
    ).replace(' use=""', "")
    return (
        f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity_id}">'
        f'<IDPSSODescriptor {more} protocolSupportEnumeration="{PROTOCOL}">'
        f'{descriptors}<SingleSignOnService Binding="{binding}" Location="{location}"/>'
        "</IDPSSODescriptor></EntityDescriptor>"
    ).encode()


def test_it_says_who_and_where_the_provider_is_and_how_it_signs() -> None:
    keys = (("signing", "AAAA"), ("", "BBBB"), ("encryption", "CCCC"), ("signing", "AAAA"))
    found = parse(described(keys=keys))
    assert found.entity_id == "https://idp.example.com/"
    assert found.sso_url == "https://idp.example.com/sso?a=1&b=2"
    assert found.certificates == ("AAAA", "BBBB"), "what is for encryption signs nothing"


def several(*names: str) -> bytes:
    inside = b"".join(described(entity_id=name) for name in names)
    return (
        b'<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">'
        + inside
        + (b'<EntityDescriptor entityID="https://sp.example.com/"/></EntitiesDescriptor>')
    )


def test_the_one_provider_of_a_federation_s_file_is_found() -> None:
    assert parse(several("https://idp.example.com/")).entity_id == "https://idp.example.com/"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no XML"),
        (b"<html><body>Sign in", "no XML"),
        (b"<html/>", "describes 0 identity providers"),
        (several("https://one.example.com/", "https://two.example.com/"), "describes 2"),
        (b"<!DOCTYPE html><html/>", "document type"),
        (described(keys=()), "no certificate"),
        (described(keys=(("encryption", "CCCC"),)), "no certificate"),
        (described(keys=(("signing", ""),)), "no certificate"),
        (described(binding=POST), "HTTP-Redirect"),
        (described(location="http://idp.example.com/sso"), "https"),
        (described(location="javascript:alert(1)"), "https"),
        (described(location=""), "https"),
        (described(entity_id=""), "no name"),
        (described(more='WantAuthnRequestsSigned="true"'), "signed requests"),
    ],
)
def test_what_can_t_be_used_is_said(text: bytes, says: str) -> None:
    with pytest.raises(SignInError, match="PORTAL_SAML_METADATA") as raised:
        parse(text)
    assert says in str(raised.value)
    assert (raised.value.status, raised.value.code) == (502, "metadata")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "metadata.xml"
    place.write_bytes(described())
    return place


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass for what keeps metadata."""
    now = [time.monotonic()]
    monkeypatch.setattr("portal.identity.saml.metadata.time.monotonic", lambda: now[0])

    def pass_time(seconds: float) -> None:
        now[0] += seconds

    return pass_time


def test_a_new_key_is_taken_up_within_the_hour(
    place: Path, pass_time: Callable[[float], None]
) -> None:
    source = Source(str(place))
    assert source.provider().certificates == ("AAAA",)
    place.write_bytes(described(keys=(("signing", "DDDD"),)))
    assert source.provider().certificates == ("AAAA",)
    pass_time(metadata.FRESH_SECONDS + 1)
    assert source.provider().certificates == ("DDDD",)


def test_a_key_that_is_not_known_is_looked_for_but_not_at_every_answer(
    place: Path, pass_time: Callable[[float], None]
) -> None:
    source = Source(str(place))
    source.provider()
    place.write_bytes(described(keys=(("signing", "DDDD"),)))
    assert source.provider(anew=True).certificates == ("AAAA",), "it was read a moment ago"
    pass_time(metadata.AGAIN_SECONDS + 1)
    assert source.provider(anew=True).certificates == ("DDDD",)


def test_a_copy_serves_on_for_a_day(place: Path, pass_time: Callable[[float], None]) -> None:
    source = Source(str(place))
    source.provider()
    place.unlink()
    pass_time(metadata.FRESH_SECONDS + 1)
    assert source.provider().certificates == ("AAAA",)
    pass_time(metadata.STALE_SECONDS)
    with pytest.raises(SignInError) as raised:
        source.provider()
    assert (raised.value.status, raised.value.code) == (503, "provider_away")


def test_nonsense_does_not_drive_out_a_good_copy(
    place: Path, pass_time: Callable[[float], None]
) -> None:
    source = Source(str(place))
    source.provider()
    place.write_bytes(b"<html>maintenance</html>")
    pass_time(metadata.FRESH_SECONDS + 1)
    assert source.provider().certificates == ("AAAA",)


class Server(http.server.BaseHTTPRequestHandler):
    """Says what the test has laid down."""

    status, headers_said, body = 200, {"Content-Type": "text/xml"}, b""
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(self.status)
        for name, value in self.headers_said.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: object) -> None:
        """A test's output is its own."""


@pytest.fixture
def server() -> Iterator[tuple[str, type[Server]]]:
    class Own(Server):
        pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}/metadata", Own
        listening.shutdown()


@pytest.mark.parametrize(
    ("status", "headers", "body", "code"),
    [
        (500, {}, b"", "provider_away"),
        (503, {}, b"", "provider_away"),
        (404, {}, b"", "provider_answer"),
        (302, {"Location": "http://example.com/"}, b"", "provider_answer"),
        (200, {}, b"<html>", "metadata"),
        (200, {}, b"x" * 2_000_000, "provider_answer"),
    ],
)
def test_a_provider_that_answers_nonsense_is_no_provider(
    server: tuple[str, type[Server]], status: int, headers: dict[str, str], body: bytes, code: str
) -> None:
    url, says = server
    says.status, says.headers_said, says.body = status, headers, body
    source = Source(url)
    for _ in range(3):
        with pytest.raises(SignInError) as raised:
            source.provider()
        assert raised.value.code == code
        assert raised.value.status in (502, 503)
    assert says.asked == 1, "and is not asked by each who waits"


def test_a_provider_that_is_not_there_is_away() -> None:
    with pytest.raises(SignInError) as raised:
        Source("http://127.0.0.1:9/metadata").provider()
    assert (raised.value.status, raised.value.code) == (503, "provider_away")


def test_pysaml2_s_own_metadata_are_read() -> None:
    with ProviderProcess() as process:
        found = Source(process.entity_id).provider()
    assert found.entity_id == process.entity_id
    assert found.sso_url == f"{process.url}/sso"
    assert len(found.certificates) == 1
