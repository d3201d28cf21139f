"""The fault matrix: what is to come of each fault, and what did.

A row is one request that meets one fault. `play.py` plays them on a running product, `ledger.py`
reads what came of them, and `test_matrix.py` holds the two against each other.
"""

from dataclasses import dataclass, field
from typing import Any

CREATE = "CreateWorkspaceServiceAccountToken"

QUEUED = "Waiting for a worker to take the request|ahead of it"
CALLING = "AWS is making the token"
THROTTLED = "AWS asks us to slow down"
INTERNAL = "AWS had an internal error, and did not say whether it made a token"
UNKNOWN = "we don't know whether it made a token"
DELIVERED = "The key was delivered"
SAID_BRIEFLY = (THROTTLED, INTERNAL, UNKNOWN)
"""From a failed attempt to the next, which may be half a second."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table.

    ``ends`` is the state in which the request has to end, ``told`` what its person must have read
    meanwhile and ``told_at_the_end`` what they read then (both patterns, and both true at that
    moment). ``orders`` are faults of the sandbox, for this request's create alone. ``orphan``
    says that AWS has made a token whose key nobody got, so that it must have been removed: a fault
    that was not met would otherwise look like one that was survived. ``name_taken`` is for a name
    that a stranger's token has, outside this portal.
    """

    id: str
    what: str
    ends: str = "active"
    told: str = ""
    told_at_the_end: str = DELIVERED
    orders: tuple[dict[str, Any], ...] = ()
    orphan: bool = False
    name_taken: bool = False

    @property
    def deliveries(self) -> int:
        return 1 if self.ends == "active" or self.id in DELIVERED_THEN_REVOKED else 0


def _aws(id: str, what: str, order: dict[str, Any], **members: Any) -> Fault:
    return Fault(id, what, orders=({"operation": CREATE, **order},), **members)


def _refused(status: int, kind: str, meaning: str, told: str) -> Fault:
    order = {"kind": "error", "when": "before", "status": status, "type": kind}
    what = f"AWS answers {status} ({meaning})"
    return _aws(f"aws-{status}", what, order, ends="failed", told_at_the_end=told)


TAKEN = "Another token in this workspace has this name"

AWS_FAULTS = (
    _aws(
        "aws-500-before",
        "AWS answers 500, before the effect",
        {"kind": "error", "when": "before"},
        told=INTERNAL,
    ),
    _aws(
        "aws-500-after",
        "AWS answers 500, after the effect",
        {"kind": "error", "when": "after"},
        told=INTERNAL,
        orphan=True,
    ),
    _aws(
        "aws-drop-before",
        "connection dropped before the effect",
        {"kind": "drop", "when": "before"},
        told=UNKNOWN,
    ),
    _aws(
        "aws-drop-after",
        "connection dropped after the effect",
        {"kind": "drop", "when": "after"},
        told=UNKNOWN,
        orphan=True,
    ),
    _aws(
        "aws-hang-after",
        "AWS hangs past the timeout, after the effect",
        {"kind": "hang", "when": "after", "seconds": 14},
        told=UNKNOWN,
        orphan=True,
    ),
    _aws(
        "aws-late",
        "takes effect only after the client gave up, about when recovery looks",
        {"kind": "hang", "when": "late", "seconds": 11.5},
        told=UNKNOWN,
    ),
    _aws(
        "aws-later",
        "takes effect only after the client gave up, and recovery has created anew",
        {"kind": "hang", "when": "late", "seconds": 25},
        told=UNKNOWN,
    ),
    _aws("aws-html", "AWS answers 200 with HTML", {"kind": "html"}, told=UNKNOWN, orphan=True),
    _aws(
        "aws-no-key", "AWS answers 200 without key", {"kind": "no_key"}, told=UNKNOWN, orphan=True
    ),
    _refused(402, "ServiceQuotaExceededException", "quota", "as many tokens as AWS allows"),
    _refused(403, "AccessDeniedException", "no permission", "does not let this portal create"),
    _refused(404, "ResourceNotFoundException", "not found", "does not know this workspace"),
    Fault(
        "aws-name-409",
        "duplicate name, as 409",
        ends="failed",
        told_at_the_end=TAKEN,
        name_taken=True,
    ),
    _aws(
        "aws-name-400",
        "duplicate name, as 400",
        {
            "kind": "error",
            "when": "before",
            "type": "ValidationException",
            "message": "A token of this name already exists in the workspace.",
        },
        ends="failed",
        told_at_the_end=TAKEN,
        name_taken=True,
    ),
)
THROTTLED_THRICE = _aws(
    "aws-429",
    "AWS answers 429 three times",
    {
        "kind": "error",
        "when": "before",
        "type": "ThrottlingException",
        "times": 3,
        "headers": {"Retry-After": "1"},
    },
    told=THROTTLED,
)

BEFORE_THE_CALL = Fault("worker-before-call", "worker killed with -9 before the call", told=CALLING)
DURING_THE_CALL = Fault(
    "worker-during-call", "worker killed with -9 during the call", told=CALLING, orphan=True
)
BEFORE_THE_COMMIT = Fault(
    "worker-before-commit",
    "worker killed with -9 after AWS's answer and before the commit",
    told=CALLING,
    orphan=True,
)
AFTER_THE_COMMIT = Fault(
    "worker-after-commit", "worker killed with -9 after the commit and before the ack"
)

EMPTIED = Fault("broker-emptied", "broker emptied while queued", told=QUEUED)
STOPPED_QUEUED = Fault("broker-stopped-queued", "broker stopped while queued", told=QUEUED)
STOPPED_AT_SUBMIT = Fault("broker-stopped-submit", "broker stopped at submit", told=QUEUED)
FIVE_MESSAGES = Fault("message-five-times", "the same message delivered five times at once")

WEB_KILLED = Fault("web-killed", "web process killed while a page waits")
SCHEDULER_DEAD = Fault(
    "scheduler-dead",
    "scheduler dead, after a 500 after the effect",
    told=INTERNAL,
    orders=({"kind": "error", "when": "after", "operation": CREATE},),
    orphan=True,
)
THREE_SWEEPS = Fault(
    "sweeps-at-once",
    "three sweeps at once, over a key that nobody fetched",
    ends="revoked",
    told_at_the_end="Nobody fetched the key in time",
)

CLICK_REQUEST = Fault("click-request", "double click on Request")
CLICK_DELIVERED = Fault("click-delivered", "double click on Show: confirmed five times at once")
CLICK_REVOKE = Fault(
    "click-revoke",
    "double click on Revoke",
    ends="revoked",
    told_at_the_end="The token was revoked by",
)
CLICK_CANCEL = Fault(
    "click-cancel",
    "double click on Withdraw",
    ends="cancelled",
    told_at_the_end="The request was withdrawn by",
)
DELIVERED_THEN_REVOKED = frozenset({CLICK_REVOKE.id})

CLOCKS = tuple(
    Fault(
        f"clock-{word}",
        f"AWS's clock 200 s {word}, and 500 after the effect",
        told=INTERNAL,
        orders=({"kind": "error", "when": "after", "operation": CREATE},),
        orphan=True,
    )
    for word in ("ahead", "behind")
)

FAULTS = (
    THROTTLED_THRICE,
    *AWS_FAULTS,
    BEFORE_THE_CALL,
    DURING_THE_CALL,
    BEFORE_THE_COMMIT,
    AFTER_THE_COMMIT,
    STOPPED_AT_SUBMIT,
    STOPPED_QUEUED,
    EMPTIED,
    WEB_KILLED,
    SCHEDULER_DEAD,
    THREE_SWEEPS,
    FIVE_MESSAGES,
    CLICK_REQUEST,
    CLICK_DELIVERED,
    CLICK_REVOKE,
    CLICK_CANCEL,
    *CLOCKS,
)


@dataclass(slots=True)
class Seen:
    """What came of a row."""

    end: str = ""
    seconds: float | None = None
    """From the request to its end, as its person's page saw it."""
    orphans: int = 0
    """Tokens of its name that live at AWS and whose key nobody was given, strangers' aside."""
    deliveries: int = 0
    """Different keys that its person holds."""
    key_works: bool | None = None
    """Whether AWS takes the key that was delivered; None when none was."""
    told: list[str] = field(default_factory=list)
    """While it waited, each sentence once."""
    told_at_the_end: str = ""
    audit: list[str] = field(default_factory=list)
    audit_fault: str = ""
    """What is wrong with its events or their order."""
    creates: int = 0
    """Creates that had an effect at AWS."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What only this row has to show."""
