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
    leads: [lead@example.com]
    members: [{members}]
    grants:
      - {{workspace: observability-prod, approval: {approval}}}
      - {{workspace: observability-staging, approval: {approval}}}
  mobile:
    members: [outsider@example.com]
    grants:
      - {{workspace: retail-mobile}}
"""


def access_file(*, without: str = "", approval: str = "never") -> str:
    """The file, with team platform's members but for one, and when its leads have to agree."""
    members = [
        email for email in ("engineer@example.com", "teammate@example.com") if email != without
    ]
    return _FILE.format(members=", ".join(members), approval=approval)
