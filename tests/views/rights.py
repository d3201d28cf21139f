"""Who may do what: every URL of the portal, and what it answers to whom.

A row is a method, a URL's name (``*`` stands for any letters), the object that it is for, and the
status for each of ROLES. Objects: a token in a state, a ``team``, a team that is ``closed``, or
``-``. What a POST sends stands in FIELDS. Of several rows that fit a URL the first counts.

- Outside the team 404, inside it without the right 403, in the wrong state 409 for those who may.
- Pages lead the anonymous to the sign-in (302); JSON answers 401.
- ``left`` is the owner of the token, who is in no team any more.
"""

from typing import NamedTuple

ROLES = (
    "anonymous", "outsider", "other_lead", "member", "owner", "left", "lead", "auditor", "admin",
)  # fmt: skip

TABLE = """
#                                     anony-  out-  other  member owner  left  lead audi- admin
#                                      mous  sider   lead                            tor
GET  home                 -                   302   302    302    302    302   302   302   302   302
GET  tokens               -                   302   200    200    200    200   200   200   200   200
GET  token-new            -                   302   200    200    200    200   200   200   200   200
POST token-new            -                   302   422    422    422    422   422   422   422   422
GET  renew-several        -                   302   200    200    200    200   200   200   200   200
POST renew-several        -                   302   422    422    422    422   422   422   422   422
GET  token-name           -                   401   404    404    200    200   404   200   404   404
GET  token-accounts       -                   401   404    404    200    200   404   200   404   404
GET  token-workspaces     -                   401   200    200    200    200   200   200   200   200

GET  token                queued              302   404    404    200    200   200   200   200   200
GET  token                active              302   404    404    200    200   200   200   200   200
GET  token                revoked             302   404    404    200    200   200   200   200   200
GET  token-status         active              401   404    404    200    200   200   200   200   200
GET  token-sealed         sealed              401   404    404    403    200   200   403   403   403
GET  token-sealed         active              401   404    404    403    410   410   403   403   403
POST token-delivered      sealed              401   404    404    403    422   422   403   403   403

POST token-revoke         sealed              302   404    404    403    302   302   302   403   302
POST token-revoke         active              302   404    404    403    302   302   302   403   302
POST token-revoke         queued              302   404    404    403    409   409   409   403   409
POST token-revoke         revoking            302   404    404    403    409   409   409   403   409
POST token-revoke         revoked             302   404    404    403    409   409   409   403   409
GET  token-print          active              401   404    404    200    200   200   200   200   200
POST token-first-use      active              401   404    404    403    200   200   403   403   403
POST token-notice         active              302   404    404    403    302   302   302   403   302
POST token-notice         revoked             302   404    404    403    409   409   409   403   409
POST token-keep           active              302   404    404    403    409   409   409   403   409
POST token-keep           revoked             302   404    404    403    409   409   409   403   409
POST token-cancel         awaiting_approval   302   404    404    403    302   302   302   403   302
POST token-cancel         awaiting_recipient  302   404    404    403    302   302   302   403   302
POST token-cancel         queued              302   404    404    403    302   302   302   403   302
POST token-cancel         issuing             302   404    404    403    302   302   302   403   302
POST token-cancel         active              302   404    404    403    409   409   409   403   409
POST token-approve        awaiting_approval   302   404    404    403    403   403   302   403   403
POST token-approve        awaiting_recipient  302   404    404    403    403   403   409   403   403
POST token-approve-undo   awaiting_recipient  302   404    404    403    403   403   409   403   403
POST token-remind         awaiting_approval   302   404    404    403    302   302   403   403   403
POST token-deny           awaiting_approval   302   404    404    403    403   403   302   403   403
POST token-deny           denied              302   404    404    403    403   403   409   403   403
POST token-collect        awaiting_recipient  302   404    404    403    302   302   403   403   403
POST token-collect        active              302   404    404    403    409   409   403   403   403
GET  token-reissue        active              302   404    404    403    200   200   200   403   403
GET  token-reissue        revoked             302   404    404    403    409   409   409   403   403
POST token-reissue        active              302   404    404    403    302   422   302   403   403
POST token-reissue        revoked             302   404    404    403    409   409   409   403   403
POST token-uses           active              302   404    404    403    302   302   302   403   302
POST token-uses           revoked             302   404    404    403    403   403   403   403   403
POST token-places         active              302   404    404    403    302   302   302   403   302
POST token-places         revoked             302   404    404    403    403   403   403   403   403
POST token-places-remove  active              302   404    404    403    302   302   302   403   302
POST token-places-remove  revoked             302   404    404    403    403   403   403   403   403
POST token-hand-over      active              302   404    404    403    302   302   302   403   302
POST token-hand-over      queued              302   404    404    403    409   409   409   403   409
POST token-accept         active              302   404    404    409    409   409   409   409   409
POST token-decline        active              302   404    404    409    409   409   409   409   409
POST token-withdraw       active              302   404    404    403    409   409   409   403   409
GET  token-possible-owners active             401   404    404    403    200   200   200   403   200

GET  teams                -                   302   302    302    302    302   200   302   200   200
GET  team                 team                302   404    404    200    200   404   200   200   200
GET  team                 closed              302   404    404    404    404   404   404   200   200
GET  team-people          team                401   404    404    200    200   404   200   200   200
GET  team-accounts        team                401   404    404    200    200   404   200   200   200
GET  team-ends            team                404   404    404    404    404   404   404   404   404
POST team-calendar        team                302   404    404    403    403   404   302   403   302
GET  team-mails           team                302   404    404    403    403   404   200   403   200
POST team-mails           team                302   404    404    403    403   404   302   403   302
POST team-revoke          team                302   404    404    403    403   404   302   403   302
POST team-revoke          closed              302   404    404    404    404   404   404   403   302
GET  team-webhooks        team                302   404    404    403    403   404   200   403   200
GET  team-webhooks        closed              302   404    404    404    404   404   404   403   200
GET  team-webhook-new     team                302   404    404    403    403   404   200   403   200
POST team-webhook-new     team                302   404    404    403    403   404   422   403   422
# Of webhooks that there are: tests/views/test_webhooks.py.
GET  team-webhook         team                302   404    404    403    403   404   404   403   404
GET  team-webhook-messages team               302   404    404    403    403   404   404   403   404
POST team-webhook         team                302   404    404    403    403   404   404   403   404
POST team-webhook-messages team               302   405    405    405    405   405   405   405   405
POST team-webhook-*       team                302   404    404    403    403   404   404   403   404
GET  team-hand-over       team                302   404    404    403    403   404   404   403   404
GET  team-ended           team                302   404    404    200    200   404   200   200   200
GET  team-ended-status    team                401   404    404    200    200   404   200   200   200

GET  audit                -                   302   403    403    403    403   403   403   200   200
GET  audit-charts         -                   302   403    403    403    403   403   403   200   200
GET  audit-suggestions    -                   302   403    403    403    403   403   403   200   200
GET  audit-teams          -                   401   403    403    403    403   403   403   200   200
GET  audit-workspaces     -                   401   403    403    403    403   403   403   200   200
GET  audit-csv            -                   302   403    403    403    403   403   403   200   200
GET  audit-jsonl          -                   302   403    403    403    403   403   403   200   200
GET  audit-event          -                   302   403    403    403    403   403   403   200   200
GET  audit-find           -                   302   200    200    200    200   200   200   200   200
POST audit-find           -                   302   200    200    200    200   200   200   200   200
GET  audit-as-of          -                   302   403    403    403    403   403   403   422   422
GET  audit-as-of-jsonl    -                   302   403    403    403    403   403   403   422   422
GET  audit-story          active              302   403    403    403    403   403   403   200   200

GET  access               -                   302   200    200    200    200   200   200   200   200
GET  access-csv           -                   302   403    403    403    403   403   403   200   200
GET  access-review        -                   302   403    403    403    403   403   403   200   200
POST access-review        -                   302   403    403    403    403   403   403   302   302
GET  access-plan          -                   302   403    403    403    403   403   403   403   200
POST access-plan          -                   302   403    403    403    403   403   403   403   422
GET  access-apply         -                   302   302    302    302    302   302   302   302   302
POST access-apply         -                   302   403    403    403    403   403   403   403   422

GET  inventory            -                   302   403    200    403    403   403   200   200   200
GET  inventory-workspaces -                   401   403    200    403    403   403   200   200   200
GET  inventory-progress   -                   401   403    200    403    403   403   200   200   200
POST inventory-read       -                   302   403    302    403    403   403   302   403   302
POST inventory-revoke     -                   302   403    422    403    403   403   422   403   422
POST inventory-permit     -                   302   403    403    403    403   403   403   403   404
POST inventory-forbid     -                   302   403    403    403    403   403   403   403   404
# Of entries that there are: tests/views/test_inventory_acts.py.
POST listed-*             -                   302   403    404    403    403   403   404   403   404

GET  way-back             -                   302   302    302    302    302   302   302   302   302

GET  healthz              -                   200   200    200    200    200   200   200   200   200
GET  readyz               -                   200   200    200    200    200   200   200   200   200
GET  metrics              -                   200   200    200    200    200   200   200   200   200

# django-allauth: the sign-in is for those who have not signed in, the password one's own.
GET  mfa_index            -                   302   200    200    200    200   200   200   200   200
GET  mfa_view_*           -                   302   404    404    404    404   404   404   404   404
GET  mfa_download_*       -                   302   404    404    404    404   404   404   404   404
# Of one's own account alone; those that change something want a step-up, which all have here.
GET  mfa_activate_totp    -                   302   200    200    200    200   200   200   200   200
GET  mfa_add_webauthn     -                   302   200    200    200    200   200   200   200   200
GET  mfa_edit_webauthn    -                   302   404    404    404    404   404   404   404   404
GET  mfa_remove_webauthn  -                   302   404    404    404    404   404   404   404   404
POST mfa_activate_totp    -                   302   422    422    422    422   422   422   422   422
POST mfa_add_webauthn     -                   302   422    422    422    422   422   422   422   422
POST mfa_edit_webauthn    -                   302   404    404    404    404   404   404   404   404
POST mfa_remove_webauthn  -                   302   404    404    404    404   404   404   404   404
GET  mfa_*                -                   302   302    302    302    302   302   302   302   302
POST mfa_index            -                   302   405    405    405    405   405   405   405   405
POST mfa_download_*       -                   302   405    405    405    405   405   405   405   405
POST mfa_view_*           -                   302   302    302    302    302   302   302   302   302
POST mfa_*                -                   302   302    302    302    302   302   302   302   302
GET  sessions             -                   302   200    200    200    200   200   200   200   200
GET  display              -                   302   200    200    200    200   200   200   200   200
POST display              -                   302   302    302    302    302   302   302   302   302
GET  mails                -                   302   200    200    200    200   200   200   200   200
POST mails                -                   302   302    302    302    302   302   302   302   302
GET  mails-sending        -                   302   403    403    403    403   403   403   200   200
GET  mails-stop           -                   404   404    404    404    404   404   404   404   404
POST mails-stop           -                   404   404    404    404    404   404   404   404   404
GET  session-end          -                   302   302    302    302    302   302   302   302   302
POST session*             -                   302   302    302    302    302   302   302   302   302
GET  account_login        -                   200   302    302    302    302   302   302   302   302
GET  invitation           -                   410   410    410    410    410   410   410   410   410
POST invitation           -                   410   410    410    410    410   410   410   410   410
GET  account_signup       -                   200   302    302    302    302   302   302   302   302
GET  account_logout       -                   302   200    200    200    200   200   200   200   200
GET  account_email        -                   302   302    302    302    302   302   302   302   302
GET  account_change_*     -                   302   200    200    200    200   200   200   200   200
GET  account_set_*        -                   302   302    302    302    302   302   302   302   302
GET  account_reauth*      -                   302   200    200    200    200   200   200   200   200
GET  account_reset_*      -                   200   200    200    200    200   200   200   200   200
GET  account_inactive     -                   200   200    200    200    200   200   200   200   200
GET  account_confirm_l*   -                   302   302    302    302    302   302   302   302   302
GET  account_confirm_e*   -                   200   200    200    200    200   200   200   200   200
GET  account_email_*      -                   200   200    200    200    200   200   200   200   200

# Doors for providers and their people, whoever is signed in; here no provider is set up.
# What they let in is in tests/sign_in, tests/views/saml and tests/views/scim.
GET  scim*                -                   404   404    404    404    404   404   404   404   404
POST scim*                -                   404   404    404    404    404   404   404   404   404
GET  openid-start         -                   302   302    302    302    302   302   302   302   302
POST openid-start         -                   503   503    503    503    503   503   503   503   503
GET  openid-callback      -                   403   403    403    403    403   403   403   403   403
GET  openid-sign-out      -                   405   405    405    405    405   405   405   405   405
POST openid-sign-out      -                   400   400    400    400    400   400   400   400   400
GET  saml-start           -                   302   302    302    302    302   302   302   302   302
POST saml-start           -                   404   404    404    404    404   404   404   404   404
GET  saml-confirm         -                   302   404    404    404    404   404   404   404   404
GET  saml-receive         -                   302   302    302    302    302   302   302   302   302
POST saml-receive         -                   400   400    400    400    400   400   400   400   400
GET  saml-finish          -                   404   404    404    404    404   404   404   404   404
GET  saml-metadata        -                   404   404    404    404    404   404   404   404   404

# Django's admin sends everybody else to its own sign-in, which answers 403. Admins manage people,
# teams with their grants, and connections; the rest they look at, and what libraries bring along
# they don't see.
GET  admin:login          -                   302   403    403    403    403   403   403   403   302
GET  admin-logout         -                   302   302    302    302    302   302   302   302   302
GET  admin-password-change -                  302   302    302    302    302   302   302   302   302
GET  admin:autocomplete   -                   302   302    302    302    302   302   302   302   403
GET  admin:view_on_site   -                   302   302    302    302    302   302   302   302   404
GET  admin:<path:object_id> -                 302   302    302    302    302   302   302   302   302
GET  admin:<url>          -                   302   302    302    302    302   302   302   302   404
GET  admin:portal_user_delete -               302   302    302    302    302   302   302   302   403
GET  admin:portal_user_*  -                   302   302    302    302    302   302   302   302   200
GET  admin:portal_team_delete -               302   302    302    302    302   302   302   302   403
GET  admin:portal_connection_add -            302   302    302    302    302   302   302   302   200
GET  admin:portal_team_*  -                   302   302    302    302    302   302   302   302   200
GET  admin:portal_*_add   -                   302   302    302    302    302   302   302   302   403
GET  admin:portal_*_delete -                  302   302    302    302    302   302   302   302   403
GET  admin:auth_*history  -                   302   302    302    302    302   302   302   302   302
GET  admin:account_*history -                 302   302    302    302    302   302   302   302   302
GET  admin:mfa_*history   -                 302   302    302    302    302   302   302   302   302
GET  admin:mfa_*          -                 302   302    302    302    302   302   302   302   403
GET  admin:socialaccount_*history -         302   302    302    302    302   302   302   302   302
GET  admin:socialaccount_* -                302   302    302    302    302   302   302   302   403
GET  admin:auth_*         -                   302   302    302    302    302   302   302   302   403
GET  admin:account_*      -                   302   302    302    302    302   302   302   302   403
GET  admin:*              -                   302   302    302    302    302   302   302   302   200
"""

PUBLIC_KEY = "(a browser's public key)"
FIELDS: dict[tuple[str, str], dict[str, str]] = {
    ("token-revoke", "*"): {"reason": "no longer needed"},
    ("token-deny", "*"): {"reason": "not needed"},
    ("token-collect", "*"): {"public_key": PUBLIC_KEY},
    ("token-reissue", "*"): {"mode": "replace", "recipient": "owner", "reason": "it leaked"},
    ("token-hand-over", "*"): {"person": "teammate@example.com", "reason": "moves to other work"},
    ("token-uses", "*"): {"uses": "deploys of acme/dash"},
    ("token-places", "*"): {"place": "GitHub acme/dash"},
    ("token-notice", "*"): {"notice": "10m", "reason": "no longer needed"},
    ("team-revoke", "*"): {"person": "engineer@example.com", "reason": "no longer needed"},
    ("audit-find", "*"): {"fingerprint": "0" * 64},
    ("access-review", "*"): {"note": "as it should be"},
    ("access-plan", "*"): {"file": "version: 2"},
}


class Right(NamedTuple):
    """One cell's question and its answer."""

    method: str
    url: str
    kind: str
    role: str
    status: int


def rights() -> list[Right]:
    """The table, cell by cell; raises ValueError for a row that does not fill its columns."""
    found = []
    for line in TABLE.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        method, url, kind, *statuses = line.split()
        for role, status in zip(ROLES, statuses, strict=True):
            found.append(Right(method, url, kind, role, int(status)))
    return found
