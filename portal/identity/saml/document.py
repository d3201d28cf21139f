"""What an answer's document must look like before any of its signatures is looked at.

An attacker can send anything here, so the rules are narrow: what identity providers send passes,
and every shape by which a signature can be made to speak for something else does not (Somorovsky
et al., "On Breaking SAML", 2012). python3-saml checks again what it relies on.
"""

import base64
import binascii
import re
from collections import defaultdict
from typing import Any

from lxml import etree

from portal.identity.person import SignInError
from portal.identity.saml.errors import error

MOST_BYTES = 1_500_000
"""Of the document. 5,000 groups with their type spelled out at each are 900 kB."""
MOST_TAGS = 60_000
MOST_PREFIXES = 12_000
MOST_IN_A_TAG = 200
"""Attributes. A hundred thousand in one tag keep the parser busy for more than a minute."""
DEEPEST = 30
"""Levels of elements; an answer has eight."""

SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"

_EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
_TRANSFORMS = {_EXCLUSIVE, "http://www.w3.org/2000/09/xmldsig#enveloped-signature"}
"""SAML core, section 5.4.4. Others (XSLT, XPath) are programs, which would run before it is known
whose they are."""
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_SIGNATURES = {f"{_MORE}{key}-sha{bits}" for key in ("rsa", "ecdsa") for bits in (256, 384, 512)}
_DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256",
    "http://www.w3.org/2001/04/xmldsig-more#sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
}
_DECLARATION = re.compile(r"\ufeff?<\?xml\s[^<>]*\?>")
_ENCODING = re.compile(r"""encoding\s*=\s*["']([^"']*)["']""")
_ENCRYPTED = ("EncryptedAssertion", "EncryptedID", "EncryptedAttribute", "EncryptedData")
_ID_NAMES = {"id", "{http://www.w3.org/xml/1998/namespace}id"}


def read(encoded: str) -> tuple[str, Any]:
    """What was posted in base64, as text and as its root element. Raises SignInError."""
    text = _text(encoded)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        raise _unreadable("is no XML") from None
    _check_shape(root)
    return text, root


def _text(encoded: str) -> str:
    if len(encoded) > MOST_BYTES * 3 // 2:
        raise error("too_large")
    try:
        text = base64.b64decode("".join(encoded.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise _unreadable("is not base64 of UTF-8") from None
    declared = _DECLARATION.match(text)
    if declared:
        encoding = _ENCODING.search(declared[0])
        if encoding and encoding[1].lower() not in ("utf-8", "utf8"):
            raise _unreadable("is in another encoding than UTF-8")
        text = text[declared.end() :]
    text = text.lstrip("\ufeff")
    # Neither a document type (entities), nor comments and CDATA, which cut names in two for some
    # readers, nor instructions to programs: no provider needs them.
    if "<!" in text or "<?" in text:
        raise _unreadable("holds a document type, a comment or an instruction")
    if text.count("<") > MOST_TAGS or text.count("xmlns") > MOST_PREFIXES:
        raise _unreadable("has too many elements")
    if any(tag.count("=") > MOST_IN_A_TAG for tag in text.split("<")):
        raise _unreadable("has too many attributes in one place")
    return text


def _check_shape(root: Any) -> None:
    """One answer with one assertion in it, and signatures that speak for these two alone."""
    if root.tag != f"{SAMLP}Response":
        raise _unreadable("is no response")
    found = _found(root)
    if any(found[name] for name in _ENCRYPTED):
        raise error("encrypted")
    assertions, signatures = found["Assertion"], found["Signature"]
    if len(assertions) > 1 or any(one.getparent() is not root for one in assertions):
        raise _wrapped("has more than one assertion, or one in a wrong place")
    parents = [one.getparent() for one in signatures]
    if any(parent is not root and parent not in assertions for parent in parents):
        raise _wrapped("has a signature in a wrong place")
    if len(set(parents)) != len(parents):
        raise _wrapped("has two signatures in one place")
    for signature in signatures:
        _check_signature(signature)
    if assertions and assertions[0] not in parents:
        raise error("unsigned")


def _found(root: Any) -> dict[str, list[Any]]:
    """The elements by their names, in whatever namespace."""
    found: dict[str, list[Any]] = defaultdict(list)
    ids: set[str] = set()
    stack = [(root, 1)]
    while stack:
        element, depth = stack.pop()
        if depth > DEEPEST:
            raise _unreadable("is nested too deeply")
        found[etree.QName(element).localname].append(element)
        for attribute, value in element.attrib.items():
            if attribute.lower() in _ID_NAMES:
                if value in ids:
                    raise _wrapped("uses an ID twice")
                ids.add(value)
        stack += [(child, depth + 1) for child in element]
    return found


def _check_signature(signature: Any) -> None:
    """It speaks for the element that it stands in, whole, by an algorithm of today."""
    allowed = {f"{DS}{name}" for name in ("SignedInfo", "SignatureValue", "KeyInfo")}
    info = signature.find(f"{DS}SignedInfo")
    if info is None or any(child.tag not in allowed for child in signature):
        raise _wrapped("has a signature with something else in it")
    references = signature.findall(f".//{DS}Reference")
    if len(references) != 1 or references[0].get("URI") != f"#{signature.getparent().get('ID')}":
        raise _wrapped("has a signature that speaks for something else")
    methods = [one.get("Algorithm") for one in info.findall(f"{DS}CanonicalizationMethod")]
    transforms = {one.get("Algorithm") for one in signature.findall(f".//{DS}Transform")}
    if methods != [_EXCLUSIVE] or not transforms <= _TRANSFORMS:
        raise _wrapped("has a signature over something else than its element")
    signed = [one.get("Algorithm") for one in signature.findall(f".//{DS}SignatureMethod")]
    digested = [one.get("Algorithm") for one in signature.findall(f".//{DS}DigestMethod")]
    if not (set(signed) <= _SIGNATURES and set(digested) <= _DIGESTS):
        raise error("weak_signature")


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _unreadable(why: str) -> SignInError:
    return error("unreadable", why=why)


def _wrapped(why: str) -> SignInError:
    return error("wrapped", why=why)
