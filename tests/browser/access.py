"""The access file of the product in these tests: the demo's, from which a test may depart.

A file of its own, because the demo's grants are applied anew whenever the catalog is read.
"""

_FILE = """
version: 1
connections:
  main: {{}}
people:
  - {{email: admin@example.com, admin: true, auditor: true}}
teams:
  platform:
    leads: [{leads}]
    members: [{members}]
    grants:
      - {{workspace: observability-prod, approval: {approval}}}
      - {{workspace: observability-staging, approval: {approval}}}
  mobile:
    members: [outsider@example.com]
    grants:
      - {{workspace: retail-mobile}}
"""


def access_file(
    *, without: str = "", approval: str = "never", leads: str = "lead@example.com"
) -> str:
    """The file, with team platform's members but for one, when its leads have to agree, and who
    they are."""
    members = [
        email for email in ("engineer@example.com", "teammate@example.com") if email != without
    ]
    return _FILE.format(members=", ".join(members), approval=approval, leads=leads)
