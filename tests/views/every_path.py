"""One path for each address that the portal knows."""

import re
import uuid
from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver

TOKEN_ID = uuid.UUID(int=7)
OPEN_TO_ALL = {
    "healthz",
    "readyz",
    "metrics",
    # A token of its own, and no such address without it (tests/views/scim).
    "scim/v2/",
    "scim/v2/1",
    "accounts/login/",
    "accounts/logout/",
    "accounts/inactive/",
    "accounts/invitation/1/",
    "accounts/signup/",
    "accounts/2fa/authenticate/",
    "accounts/2fa/webauthn/login/",
    "accounts/confirm-email/",
    "accounts/confirm-email/x/",
    "accounts/login/code/confirm/",
    "accounts/oidc/sso/login/",
    "accounts/oidc/sso/login/callback/",
    "accounts/oidc/sso/logout/",
    "accounts/saml/sso/acs/",
    "accounts/saml/sso/finish/",
    "accounts/saml/sso/login/",
    "accounts/saml/sso/metadata/",
    "accounts/password/reset/",
    "accounts/password/reset/done/",
    "accounts/password/reset/key/x-x/",
    "accounts/password/reset/key/done/",
    # For mail programs: what is signed says who.
    "accounts/mails/stop/1/",
    # For calendar programs: a key of its own.
    "team/1/ends.ics",
}
"""What belongs to signing in, and to monitors. Everything else wants a sign-in."""
EXPRESSIONS = {
    r"accounts/^confirm-email/(?P<key>[-:\w]+)/$": "accounts/confirm-email/x/",
    r"accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$": (
        "accounts/password/reset/key/x-x/"
    ),
    r"admin/^(?P<app_label>portal|auth|account|mfa|socialaccount)/$": "admin/portal/",
    r"admin/(?P<url>.*)$": "admin/anything",
}
"""Addresses that are regular expressions, and a path that each of them matches."""
JSON = re.compile(
    r"tokens/(name|accounts|workspaces|[^/]+/(status|sealed|delivered|first-use|print|possible-owners))/"
    r"|team/.*/(status|people|accounts)/"
    r"|audit/(teams|workspaces)/"
    r"|inventory/(workspaces|progress)/"
)
STANDS_ON = {
    **{
        f"tokens/{TOKEN_ID}/{action}/": f"tokens/{TOKEN_ID}/"
        for action in (
            "approve",
            "cancel",
            "collect",
            "deny",
            "hand-over",
            "hand-over/accept",
            "hand-over/decline",
            "hand-over/withdraw",
            "revoke",
            "uses",
            "notice",
            "keep",
            "places",
            "places/remove",
            "remind",
            "approve/undo",
        )
    },
    "team/1/revoke/": "team/1/",
    "team/1/calendar/": "team/1/",
    **{
        f"team/1/webhooks/1/{action}/": "team/1/webhooks/1/"
        for action in ("stored", "test", "rotate", "delete")
    },
    "team/1/webhooks/1/deliveries/1/again/": "team/1/webhooks/1/deliveries/",
    "accounts/sessions/end/": "accounts/sessions/",
    "access/apply/": "access/plan/",
    **dict.fromkeys(
        (
            *("inventory/read/", "inventory/revoke/", "inventory/permit/", "inventory/forbid/"),
            *("inventory/1/adopt/", "inventory/1/revoke/"),
        ),
        "inventory/",
    ),
}
"""Addresses that take POST alone, and the page that each one's form stands on."""


def every_path(resolver: URLResolver, prefix: str = "") -> Iterator[str]:
    """One path for each address that the portal knows, with something made up for its variables."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from every_path(pattern, route)
        elif isinstance(pattern, URLPattern):
            route = EXPRESSIONS.get(route, route)
            route = re.sub(r"<(path|int|slug|str|number):\w+>", "1", route)
            yield re.sub(r"<uuid:\w+>", str(TOKEN_ID), route)


PATHS = sorted(set(every_path(get_resolver())))
