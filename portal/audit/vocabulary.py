"""Which fields an event of each action has, beside who acted and when.

An event that lacks one it must have, or says something that is not its own to say, is a mistake of
the code that writes it, found by the first test that runs it.
"""

from typing import NamedTuple, TypedDict

from portal.models import Action, Outcome, ServiceAccount, Team, Token


class Said(TypedDict, total=False):
    """What an event may say. What is known of a token is copied from its row."""

    token: Token | None
    team: Team | None
    service_account: ServiceAccount
    aws_token_id: str
    aws_request_id: str
    error_code: str
    reason: str
    subject: str
    count: int | None
    outcome: Outcome


class Fields(NamedTuple):
    """The fields that an event must have, and those that it may have."""

    needs: frozenset[str]
    may: frozenset[str]


def _fields(needs: str, may: str = "") -> Fields:
    return Fields(frozenset(needs.split()), frozenset(may.split()))


FIELDS = {
    Action.TOKEN_REQUESTED: _fields("token", "subject reason"),
    Action.TOKEN_APPROVED: _fields("token", "reason"),
    Action.TOKEN_DENIED: _fields("token reason"),
    Action.TOKEN_CANCELLED: _fields("token", "reason"),
    Action.TOKEN_COLLECTED: _fields("token", "subject"),
    Action.TOKEN_ISSUED: _fields("token aws_request_id"),
    Action.TOKEN_DELIVERED: _fields("token", "subject"),
    Action.TOKEN_FAILED: _fields("token error_code", "reason aws_request_id"),
    # Of what somebody made outside the portal there is no row: its account and AWS's id tell which.
    Action.TOKEN_REVOKE_REQUESTED: _fields("", "token reason service_account aws_token_id subject"),
    Action.TOKEN_REVOKED: _fields(
        "", "token reason aws_request_id error_code service_account aws_token_id subject"
    ),
    Action.TOKEN_REISSUED: _fields("token subject", "reason"),
    Action.TOKEN_EXPIRED: _fields("token"),
    Action.TOKEN_PRUNED: _fields(
        "aws_request_id", "token reason service_account aws_token_id subject"
    ),
    Action.TOKEN_UNCLAIMED: _fields("token", "reason"),
    Action.TOKEN_ORPHAN_REMOVED: _fields("token aws_token_id aws_request_id"),
    Action.TOKEN_DRIFT_FOUND: _fields(
        "service_account aws_token_id aws_request_id subject", "token"
    ),
    Action.TOKEN_EXPIRY_NOTIFIED: _fields("token subject"),
    Action.ACCESS_CHANGED: _fields("subject", "token team reason"),
    Action.ACCESS_REVIEWED: _fields("subject count", "reason"),
    Action.CATALOG_SYNCED: _fields("subject count"),
    Action.PERSON_INVITED: _fields("subject"),
    Action.SIGNIN_FACTOR_CHANGED: _fields("subject"),
    Action.SESSION_ENDED: _fields("subject", "count"),
    Action.LIMIT_EXCEEDED: _fields("subject", "count"),
    Action.SETTINGS_CHANGED: _fields("subject", "team"),
    Action.TOKEN_ADOPTED: _fields("token reason"),
    Action.HISTORY_PRUNED: _fields("subject count"),
    Action.HISTORY_RESTORED: _fields(
        "subject", "count service_account aws_token_id aws_request_id"
    ),
    Action.AUDIT_EXPORTED: _fields("subject count"),
    Action.AUDIT_VERIFIED: _fields("subject outcome"),
    Action.SIGNIN_SUCCEEDED: _fields("", "subject reason"),
    Action.SIGNIN_FAILED: _fields("", "count error_code"),
}

FAILURES = frozenset({Action.TOKEN_FAILED, Action.SIGNIN_FAILED, Action.LIMIT_EXCEEDED})
"""Actions whose outcome is always a failure; all others succeed unless the event says otherwise."""

IN_WORDS: dict[str, str] = {
    Action.TOKEN_REQUESTED: "asked for a token",
    Action.TOKEN_APPROVED: "agreed to a request",
    Action.TOKEN_DENIED: "refused a request",
    Action.TOKEN_CANCELLED: "withdrew a request",
    Action.TOKEN_COLLECTED: "had an approved token made",
    Action.TOKEN_ISSUED: "made a token at AWS",
    Action.TOKEN_DELIVERED: "took the key",
    Action.TOKEN_FAILED: "could not make a token",
    Action.TOKEN_REVOKE_REQUESTED: "asked to revoke a token",
    Action.TOKEN_REVOKED: "deleted a token at AWS",
    Action.TOKEN_REISSUED: "renewed or replaced a token",
    Action.TOKEN_EXPIRED: "found a token expired",
    Action.TOKEN_PRUNED: "removed an expired token from AWS",
    Action.TOKEN_UNCLAIMED: "revoked a token whose key nobody took",
    Action.TOKEN_ORPHAN_REMOVED: "deleted a token whose key nobody had",
    Action.TOKEN_DRIFT_FOUND: "found a difference from AWS's list",
    Action.TOKEN_EXPIRY_NOTIFIED: "mailed that a token ends",
    Action.ACCESS_CHANGED: "changed access",
    Action.ACCESS_REVIEWED: "reviewed access",
    Action.TOKEN_ADOPTED: "took over a token that was not issued here",
    Action.CATALOG_SYNCED: "read the catalog of AWS",
    Action.PERSON_INVITED: "invited a person",
    Action.SIGNIN_FACTOR_CHANGED: "changed a way to sign in",
    Action.SESSION_ENDED: "ended a session",
    Action.LIMIT_EXCEEDED: "went over a limit",
    Action.SETTINGS_CHANGED: "changed settings",
    Action.AUDIT_EXPORTED: "exported the log",
    Action.AUDIT_VERIFIED: "verified the log",
    Action.HISTORY_PRUNED: "removed old records",
    Action.HISTORY_RESTORED: "put removed records back",
    Action.SIGNIN_SUCCEEDED: "signed in",
    Action.SIGNIN_FAILED: "failed to sign in",
}
"""What the actor of an event did, for people; the action's own name stands beside it."""
