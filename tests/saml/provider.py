"""An identity provider on pysaml2, as a process of its own: ``python -m tests.saml.provider URL``.

Its pages are a provider's: ``/metadata``, and ``/sso``, where a browser brings a request, chooses a
person and takes the answer back. Beside them ``/answer`` makes the answer that a test describes,
``/people`` says who is there, and ``/portal`` is told the address of the portal that it serves.
"""

import base64
import html
import json
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import warnings
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from saml2 import BINDING_HTTP_REDIRECT, saml
    from saml2.config import IdPConfig
    from saml2.metadata import entity_descriptor
    from saml2.server import Server

ASSERTION = "urn:oasis:names:tc:SAML:2.0:assertion:Assertion"
RESPONSE = "urn:oasis:names:tc:SAML:2.0:protocol:Response"
SHA256 = {
    "sign_alg": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "digest_alg": "http://www.w3.org/2001/04/xmlenc#sha256",
}
SHA1 = {
    "sign_alg": "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    "digest_alg": "http://www.w3.org/2000/09/xmldsig#sha1",
}
FORMATS = {
    "emailAddress": saml.NAMEID_FORMAT_EMAILADDRESS,
    "persistent": saml.NAMEID_FORMAT_PERSISTENT,
    "transient": saml.NAMEID_FORMAT_TRANSIENT,
    "unspecified": saml.NAMEID_FORMAT_UNSPECIFIED,
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


class Provider:
    """One provider with its key; ``name`` is part of its entity ID."""

    def __init__(self, address: str, directory: Path, name: str = "idp") -> None:
        self.portal: dict[str, str] = {}
        self.people: dict[str, dict[str, Any]] = {}
        self._address, self._name = address, name
        self._key, self._certificate = directory / f"{name}.key", directory / f"{name}.pem"
        make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        paths = ["-keyout", str(self._key), "-out", str(self._certificate)]
        subprocess.run([*make, *paths, "-subj", f"/CN={name}"], check=True, capture_output=True)
        self._server = self._made([])

    def _made(self, portals: list[str]) -> Server:
        sso = f"{self._address}/sso"
        config = {
            "entityid": f"{self._address}/metadata",
            "key_file": str(self._key),
            "cert_file": str(self._certificate),
            "xmlsec_binary": shutil.which("xmlsec1"),
            "metadata": {"inline": portals},
            "service": {
                "idp": {
                    "endpoints": {"single_sign_on_service": [(sso, BINDING_HTTP_REDIRECT)]},
                    "policy": {
                        "default": {
                            "lifetime": {"minutes": 5},
                            "name_form": "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified",
                        }
                    },
                }
            },
        }
        return Server(config=IdPConfig().load(config))

    def metadata(self) -> str:
        return str(entity_descriptor(self._server.config))

    def serve(self, portal: dict[str, str], metadata: str) -> None:
        """Take the portal's own metadata, as a provider's administrator uploads it."""
        self.portal = portal
        self._server = self._made([metadata])

    def asked(self, request: str) -> dict[str, Any]:
        """What a request of sign-in says, read as pysaml2 reads it."""
        parsed = self._server.parse_authn_request(request, BINDING_HTTP_REDIRECT)
        message = parsed.message
        policy = message.name_id_policy
        return {
            "id": message.id,
            "acs": message.assertion_consumer_service_url,
            "issuer": message.issuer.text,
            "force_authn": message.force_authn,
            "name_id_format": policy.format if policy else None,
            "destination": message.destination,
        }

    def answer(self, told: dict[str, Any]) -> str:
        """The XML of an answer: see tests.saml.answers for what may be told."""
        name_id = saml.NameID(
            format=FORMATS[told.get("format", "emailAddress")],
            text=told["name_id"],
            sp_name_qualifier=told.get("qualifier"),
        )
        acs = told.get("acs", self.portal["acs"])
        made = self._server.create_authn_response(
            identity=told.get("attributes", {}),
            in_response_to=told.get("request"),
            destination=acs,
            sp_entity_id=told.get("audience", self.portal["entity_id"]),
            name_id=name_id,
            authn={"class_ref": saml.AUTHN_PASSWORD, "authn_instant": int(_now().timestamp())},
            sign_assertion=told.get("sign_assertion", True),
            sign_response=told.get("sign_response", False),
            encrypt_assertion=told.get("encrypt", False),
            encrypt_cert_assertion=self._certificate.read_text() if told.get("encrypt") else None,
            **(SHA1 if told.get("sha1") else SHA256),
        )
        xml = str(made)
        edited = _edited(xml, told)
        return self._signed_again(edited, told) if edited != xml else xml

    def _signed_again(self, xml: str, told: dict[str, Any]) -> str:
        """The document with new signatures, as if it had been made so."""
        parts = []
        if told.get("sign_assertion", True):
            parts.append((ASSERTION, _id(xml, "Assertion")))
        if told.get("sign_response", False):
            parts.append((RESPONSE, _id(xml, "Response")))
        for name, node_id in parts:
            xml = self._server.sec.sign_statement(xml, name, node_id=node_id)
        return xml


def _id(xml: str, element: str) -> str:
    found = re.search(rf"<(?:\w+:)?{element}\b[^>]*?\bID=\"([^\"]+)\"", xml)
    assert found, element
    return found[1]


def _edited(xml: str, told: dict[str, Any]) -> str:
    for pattern, text in told.get("edits", []):
        xml, count = re.subn(pattern, text, xml)
        assert count, f"{pattern} is not in {xml}"
    if shift := told.get("shift"):
        xml = TIME.sub(lambda found: _shifted(found[0], shift), xml)
    return xml


def _shifted(moment: str, seconds: float) -> str:
    then = datetime.fromisoformat(moment) + timedelta(seconds=seconds)
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


def _now() -> datetime:
    return datetime.now(UTC)


PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Company sign-in</title>
<h1>Company sign-in</h1>{body}</html>"""
HANDED_BACK = """<form method="post" action="{acs}">
<input type="hidden" name="SAMLResponse" value="{answer}">
<input type="hidden" name="RelayState" value="{relay}"><button>Continue</button></form>
<script>document.forms[0].submit()</script>"""


class Handler(BaseHTTPRequestHandler):
    """HTTP in, HTTP out."""

    provider: Provider
    stranger: Provider
    """Another provider that says it is this one, and has another key."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/metadata":
            self._say(self.provider.metadata(), "application/samlmetadata+xml")
        elif parts.path == "/sso":
            self._say(PAGE.format(body=self._choice(query)))
        elif parts.path == "/begin":
            self._say(PAGE.format(body=self._handed_back(query["person"], {}, query)))
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/chosen":
            form = {name: values[0] for name, values in parse_qs(body).items()}
            asked = self.provider.asked(form["SAMLRequest"])
            told = {"request": asked["id"], "acs": asked["acs"]}
            self._say(PAGE.format(body=self._handed_back(form["person"], told, form)))
            return
        told = json.loads(body)
        if self.path == "/portal":
            self._meet(told)
        elif self.path == "/people":
            self.provider.people = told
            self._say("{}", "application/json")
        elif self.path == "/asked":
            self._say(json.dumps(self.provider.asked(told["request"])), "application/json")
        elif self.path == "/answer":
            one = self.stranger if told.get("stranger") else self.provider
            self._say(one.answer(told), "application/xml")
        else:
            self.send_error(404)

    def _meet(self, told: dict[str, str]) -> None:
        metadata = told.get("metadata") or _fetched(told["entity_id"])
        portal = {"entity_id": told["entity_id"], "acs": told["acs"]}
        for one in (self.provider, self.stranger):
            one.serve(portal, metadata)
        self._say("{}", "application/json")

    def _choice(self, query: dict[str, str]) -> str:
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(query.get(name, ""))}">'
            for name in ("SAMLRequest", "RelayState")
        )
        buttons = "".join(
            f'<button name="person" value="{html.escape(person)}">{html.escape(person)}</button>'
            for person in self.provider.people
        )
        return f'<form method="post" action="/chosen">{hidden}{buttons}</form>'

    def _handed_back(self, person: str, told: dict[str, Any], query: dict[str, str]) -> str:
        answer = self.provider.answer({**self.provider.people[person], **told})
        return HANDED_BACK.format(
            acs=self.provider.portal["acs"],
            answer=base64.b64encode(answer.encode()).decode(),
            relay=html.escape(query.get("RelayState", "")),
        )

    def _say(self, text: str, kind: str = "text/html; charset=utf-8") -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """A test's output is its own."""


def _fetched(url: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def main(address: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        Handler.provider = Provider(address, Path(directory))
        Handler.stranger = Provider(address, Path(directory), secrets.token_hex(4))
        with ThreadingHTTPServer(("127.0.0.1", int(address.rpartition(":")[2])), Handler) as server:
            server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
