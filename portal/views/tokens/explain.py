"""What a state or an error means, in words for people: what happened, and what to do next."""

import math
from dataclasses import dataclass, replace
from datetime import timedelta

from portal import display, gateway, policy
from portal.audit import SYSTEM
from portal.life.waits import FOR_CREDENTIALS, waits_for, waits_until
from portal.models import State, Token
from portal.models.error_codes import ErrorCode
from portal.text import isolated


@dataclass(frozen=True, slots=True)
class Explanation:
    """Two sentences for a person; ``passes`` is trouble that the portal tries again by itself."""

    happened: str
    next: str
    passes: bool = False

    @property
    def is_for_operators(self) -> bool:
        """Whether trying again won't help before somebody has changed something at the portal."""
        return self.next.endswith(_OPERATOR)


MINUTE = timedelta(minutes=1)
_TRY_AGAIN = "Try again with the form filled in as before."
_TRIED = f"The portal tried for an hour, and tries no more. {_TRY_AGAIN}"
_OPERATOR = "Tell the people who run this portal; give them the AWS request id."

_CHANGING = Explanation(
    "AWS is changing the workspace, and makes no token meanwhile.",
    "The portal tries again by itself.",
    passes=True,
)

_ERRORS = {
    "ValidationException": Explanation(
        "AWS rejected the request.", "Change what AWS says below and try again."
    ),
    "ServiceQuotaExceededException": Explanation(
        "The workspace has as many tokens as AWS allows; expired ones count until deleted.",
        "Revoke a token of this workspace that nobody needs, then try again.",
    ),
    "AccessDeniedException": Explanation(
        "AWS does not let this portal create tokens in that workspace.", _OPERATOR
    ),
    "ResourceNotFoundException": Explanation(
        "AWS does not know this workspace or service account any more.",
        "Choose another on the request form; the list there is read from AWS regularly.",
    ),
    "ConflictException": _CHANGING,
    ErrorCode.WORKSPACE_CHANGING: _CHANGING,
    "ThrottlingException": Explanation(
        "AWS asks us to slow down.",
        "Nothing to do: the portal tries again when AWS allows it.",
        passes=True,
    ),
    "InternalServerException": Explanation(
        "AWS had an internal error, and did not say whether it made a token.",
        "Nothing to do: the portal removes what may have been made, and tries again.",
        passes=True,
    ),
    ErrorCode.NAME_TAKEN: Explanation(
        "Another token in this workspace has this name, made here or elsewhere.",
        "Choose another name and try again.",
    ),
    ErrorCode.NOT_GRANTED: Explanation(
        "The grant for this service account ended before the token was made.",
        "Ask your team lead, or choose another account.",
    ),
    ErrorCode.NOT_USABLE: Explanation(
        "The workspace or its service account can't be used any more.",
        "Choose another on the request form; the list there is read from AWS regularly.",
    ),
    ErrorCode.CANNOT_SEAL: Explanation(
        "AWS answered with a key that is longer than your browser's public key can seal. "
        "The token was deleted again.",
        _OPERATOR,
    ),
    ErrorCode.NOT_AGREED: Explanation(
        "What the request says now is not what was asked for, by the audit log. Nothing was made.",
        _OPERATOR,
    ),
    ErrorCode.QUEUED_TOO_LONG: Explanation("No worker took the request for an hour.", _OPERATOR),
}
_UNKNOWN_OUTCOME = Explanation(
    "AWS did not answer, or its answer made no sense, so we don't know whether it made a token.",
    "Nothing to do: the portal removes what may have been made, and tries again.",
    passes=True,
)
_UNKNOWN_CODES = frozenset({"OutcomeUnknown", "NoAnswer", "ServiceUnavailable", "InternalFailure"})
_NOT_SENT = Explanation(
    "The portal can't reach AWS.",
    "Nothing to do: the portal keeps trying for an hour.",
    passes=True,
)
_CREDENTIALS = Explanation("AWS did not accept this portal's own credentials.", _OPERATOR)
_CREDENTIALS_NOW = Explanation(
    "AWS does not accept this portal's own credentials, or its clock, at the moment. That is the "
    "portal's trouble, not yours, and nothing was made.",
    "The portal tries again by itself.",
    passes=True,
)
_CREDENTIAL_CODES = frozenset(
    {
        "IncompleteSignature",
        "IncompleteSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "InvalidClientTokenId",
        "OptInRequired",
    }
)


_MESSAGES = {
    State.AWAITING_APPROVAL: "This request needs approval, and whoever can give it was mailed. "
    "Without an answer it lapses after 7 days.",
    State.AWAITING_RECIPIENT: "Nothing is made yet: the token is made when its recipient "
    "opens this page and asks for the key. After 7 days it lapses.",
    State.QUEUED: "Waiting for a worker to take the request.",
    State.ISSUING: "AWS is making the token.",
    State.SEALED: "The key is here, sealed to the browser that asked for it.",
    State.ACTIVE: "The key was delivered. It cannot be shown again.",
    State.REVOKING: "The token is being deleted at AWS.",
    State.FAILED: f"The token could not be made. {_TRY_AGAIN}",
    State.EXPIRED: "The token has expired.",
}
_ENDED = {
    State.REVOKED: "The token was revoked",
    State.CANCELLED: "The request was withdrawn",
    State.DENIED: "The request was denied",
}


def error(token: Token) -> Explanation | None:
    """What last went wrong with this token; None when nothing did."""
    found = _error(token)
    if not found or not found.passes:
        return found
    wait = waits_for(token.error_code)
    if token.state == State.FAILED:
        # It failed because it waited too long: nobody tries again.
        if not wait:
            return Explanation(found.happened, _TRIED)
        tried = f"The portal tried for {wait.longest // MINUTE} minutes, and tries no more."
        then = _OPERATOR if wait == FOR_CREDENTIALS else _TRY_AGAIN
        return replace(found, next=f"{tried} {then}", passes=False)
    if until := waits_until(token):
        again = f"The portal tries again by itself, until {display.clock(until)} at the latest."
        return replace(found, next=again)
    return found


def _error(token: Token) -> Explanation | None:
    code = token.error_code
    if not code:
        return None
    if code in _ERRORS:
        return _ERRORS[code]
    if waits_for(code) == FOR_CREDENTIALS:
        return _CREDENTIALS_NOW
    if code in _CREDENTIAL_CODES:
        return _CREDENTIALS
    if code == "NotSent":
        return _NOT_SENT
    if token.state == State.FAILED and code not in _UNKNOWN_CODES:
        return Explanation(f"AWS refused the request ({isolated(code)}).", _TRY_AGAIN)
    return _UNKNOWN_OUTCOME


def message(token: Token) -> str:
    """One or two sentences on where the token is now, for the page and for programs."""
    trouble = error(token)
    if trouble and token.state in (State.QUEUED, State.FAILED):
        return _with_request_id(f"{trouble.happened} {trouble.next}", token)
    if trouble and token.state == State.REVOKING:
        return _with_request_id(
            f"AWS has not deleted the token yet ({isolated(token.error_code)}): its key may still "
            "work. The portal keeps trying.",
            token,
        )
    if token.state == State.REVOKING and token.ended_by:
        return f"{_ended(token, 'The token was ended')} It is being deleted at AWS."
    if token.state == State.ISSUING and token.cancel_requested:
        return "The request is being withdrawn: what AWS makes is deleted again."
    if token.state == State.QUEUED:
        return _waits_its_turn(token)
    if token.state == State.CANCELLED and token.ended_by == SYSTEM.label:
        return f"The portal withdrew the request. {isolated(token.end_reason)}"
    if policy.outlives_its_end(token):
        return (
            "The token has ended here, but AWS still lists it as alive: its key may still work. "
            "Revoke it."
        )
    if token.state in _ENDED:
        return _ended(token, _ENDED[State(token.state)])
    return _works_until(token) or _MESSAGES[State(token.state)]


def _works_until(token: Token) -> str:
    """What ends a token that lives before its own end; empty for others."""
    if token.is_under_notice and token.notice_ends_at is not None:
        until = display.minute(token.notice_ends_at)
        ended = _ended(token, f"Its end on {until} was asked for")
        return f"{ended} Until then whoever uses it can keep it."
    if token.is_in_overlap and token.ends_at is not None:
        return f"It was replaced, and works on until {display.minute(token.ends_at)}."
    return ""


def _waits_its_turn(token: Token) -> str:
    """How many are ahead, and about how long that takes at the pace that AWS allows."""
    ahead = Token.objects.count_ahead_of(token)
    if not ahead:
        return _MESSAGES[State.QUEUED]
    others = "1 request is" if ahead == 1 else f"{ahead} requests are"
    rate = gateway.calls_per_second(token.workspace.connection)
    if not rate:
        return f"{others} ahead of it."
    seconds = math.ceil((ahead + 1) / rate)
    time = f"{seconds} seconds" if seconds < 90 else f"{round(seconds / 60)} minutes"
    return f"{others} ahead of it: AWS limits how fast they go, so about {time}."


def _ended(token: Token, what: str) -> str:
    by = f" by {token.ended_by}" if token.ended_by else ""
    why = f": {isolated(token.end_reason)}" if token.end_reason else ""
    end = "" if why.endswith(".") else "."
    return f"{what}{by}{why}{end}"


def _with_request_id(text: str, token: Token) -> str:
    return f"{text} AWS request id: {token.aws_request_id}." if token.aws_request_id else text
