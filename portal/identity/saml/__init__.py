"""Sign-in by SAML 2.0: what an identity provider's answer must be, and what it says of a person.

The library that reads the answers is an extra (requirements-saml.txt): what is here is imported
where that is installed alone (docs/decisions/0036).
"""
