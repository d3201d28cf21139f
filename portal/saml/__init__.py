"""Sign-in by SAML 2.0: what an identity provider's answer must be, and what it says of a person.

The library that reads the answers is an extra (requirements-saml.txt). Everything here but
``configured`` imports it, and is imported where it is installed alone (docs/decisions/0036).
"""
