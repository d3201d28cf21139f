"""SCIM 2.0 (RFC 7643, RFC 7644): the company's provider says who is here. HTTP in, HTTP out.

The protocol is scim2-server's; here are what the portal keeps of people and groups (``resources``),
where it keeps them (``people``, ``groups``), and what Okta and Entra say otherwise (``dialects``).
"""
