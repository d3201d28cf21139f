"""The life of a token, written once: every move from one state to the next.

A move says from which states it starts, to which it leads, which columns it writes, and which
event of the audit log tells of it. Nothing else in the portal assigns a state: portal/life/work.py
carries moves out. docs/LIFE.md walks through the same life in prose, and a test compares the two.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.db.models.functions import Now

from portal.life.move import Move
from portal.models import Action, NoticeKind, State

_LEASE_ENDS: Final[Mapping[str, Any]] = {"lease_until": None}
_DUE_NOW: Final[Mapping[str, Any]] = {"not_before": None}
_NO_ERROR: Final[Mapping[str, Any]] = {"error_code": "", "error_message": ""}
_WIPED: Final[Mapping[str, Any]] = {"sealed_key": None}

_NOT_APPROVED: Final = {"public_key": b"", "rung_at": None, "approved_by": "", "approved_at": None}
_APPROVAL: Final = ("approved_by", "approved_at", "approved_account", "approved_role")
_ERROR: Final = ("error_code", "error_message", "aws_request_id")
_KNOWLEDGE: Final = ("may_exist_at_aws", "unresolved_since", "last_signature_at")
"""What an attempt's outcome says about AWS; an earlier unknown outcome stays unknown."""


# -- A request begins -----------------------------------------------------------------------------

REQUEST = Move(
    name="request",
    starts=(),
    leads_to=State.QUEUED,
    event=Action.TOKEN_REQUESTED,
    tells={"subject": "sealed_to"},
    enqueues=True,
)
REQUEST_APPROVAL = Move(
    name="request_approval",
    starts=(),
    leads_to=State.AWAITING_APPROVAL,
    event=Action.TOKEN_REQUESTED,
    tells={"subject": "waits_for"},
    notice=NoticeKind.APPROVAL_ASKED,
)
REQUEST_FOR_RECIPIENT = Move(
    name="request_for_recipient",
    starts=(),
    leads_to=State.AWAITING_RECIPIENT,
    event=Action.TOKEN_REQUESTED,
    tells={"subject": "waits_for"},
)
ADOPT = Move(
    # Somebody made it at AWS, or the row was lost with a backup: nobody's browser waits for it.
    name="adopt",
    starts=(),
    leads_to=State.ACTIVE,
    event=Action.TOKEN_ADOPTED,
)

# -- People answer --------------------------------------------------------------------------------

APPROVE = Move(
    name="approve",
    starts=(State.AWAITING_APPROVAL,),
    leads_to=State.AWAITING_RECIPIENT,
    writes=("seconds_to_live", *_APPROVAL),
    may_write=("seconds_asked", "approval_comment"),
    event=Action.TOKEN_APPROVED,
    done="approved",
    notice=NoticeKind.APPROVED,
)
DENY = Move(
    name="deny",
    starts=(State.AWAITING_APPROVAL,),
    leads_to=State.DENIED,
    event=Action.TOKEN_DENIED,
    ends=True,
    done="denied",
    notice=NoticeKind.DENIED,
)
COLLECT = Move(
    name="collect",
    starts=(State.AWAITING_RECIPIENT,),
    leads_to=State.QUEUED,
    sets={"queued_at": Now()},
    writes=("public_key", "public_key_sha256", "seconds_to_live"),
    event=Action.TOKEN_COLLECTED,
    tells={"subject": "sealed_to"},
    enqueues=True,
    done="collected",
)
CANCEL = Move(
    name="cancel",
    starts=(State.AWAITING_APPROVAL, State.AWAITING_RECIPIENT, State.QUEUED),
    leads_to=State.CANCELLED,
    sets=_DUE_NOW,
    may_write=("error_code",),
    event=Action.TOKEN_CANCELLED,
    ends=True,
    done="withdrawn",
    notice=NoticeKind.LAPSED,
)
WITHDRAW = Move(
    # AWS is being called: the worker ends what it gets, by the moves that are marked ``withdrawn``.
    name="withdraw",
    starts=(State.ISSUING,),
    leads_to=None,
    sets={"cancel_requested": True},
    event=Action.TOKEN_CANCELLED,
    ends=True,
    done="withdrawn",
    notice=NoticeKind.LAPSED,
)
ASK_APPROVAL = Move(
    # The key pair may be lost before people answer: the recipient's browser makes another.
    name="ask_approval",
    starts=(State.AWAITING_RECIPIENT,),
    leads_to=State.AWAITING_APPROVAL,
    sets=_NOT_APPROVED,
    event=Action.TOKEN_REQUESTED,
    tells={"subject": "waits_for"},
    notice=NoticeKind.APPROVAL_ASKED,
)

UNDO_APPROVAL = Move(
    name="undo_approval",
    starts=(State.AWAITING_RECIPIENT,),
    leads_to=State.AWAITING_APPROVAL,
    sets=_NOT_APPROVED | {"approval_comment": "", "seconds_asked": None},
    writes=("seconds_to_live",),
    event=Action.TOKEN_REQUESTED,
    tells={"subject": "waits_for"},
    done="taken back to be approved again",
    notice=NoticeKind.APPROVAL_UNDONE,
)

# -- A worker's attempt ---------------------------------------------------------------------------

CLAIM = Move(
    # Written as one conditional update (portal/life/claim.py), before AWS is called.
    name="claim",
    starts=(State.QUEUED,),
    leads_to=State.ISSUING,
)
DROP_WITHDRAWN = Move(
    # That it was withdrawn is on record already.
    name="drop_withdrawn",
    starts=(State.ISSUING,),
    leads_to=State.CANCELLED,
    sets={**_LEASE_ENDS, "rung_at": None},
    may_write=("not_before", "waits_since", "duplicate_answers", *_ERROR, *_KNOWLEDGE),
)
REQUEUE = Move(
    name="requeue",
    starts=(State.ISSUING,),
    leads_to=State.QUEUED,
    sets={**_LEASE_ENDS, "rung_at": None, "waits_since": None},
    writes=("not_before",),
    may_write=(*_ERROR, *_KNOWLEDGE, "duplicate_answers", "waits_since"),
    withdrawn=DROP_WITHDRAWN,
)
FAIL = Move(
    name="fail",
    starts=(State.QUEUED, State.ISSUING),
    leads_to=State.FAILED,
    sets={**_LEASE_ENDS, **_DUE_NOW},
    writes=("error_code", "error_message"),
    may_write=("aws_request_id", *_KNOWLEDGE),
    event=Action.TOKEN_FAILED,
    tells={
        "error_code": "error_code",
        "reason": "error_message",
        "aws_request_id": "aws_request_id",
    },
    withdrawn=DROP_WITHDRAWN,
)
CANCEL_ATTEMPT = Move(
    name="cancel_attempt",
    starts=(State.ISSUING,),
    leads_to=State.CANCELLED,
    sets=_LEASE_ENDS,
    may_write=("error_code", *_KNOWLEDGE),
    event=Action.TOKEN_CANCELLED,
    ends=True,
    withdrawn=DROP_WITHDRAWN,
    notice=NoticeKind.LAPSED,
)
ASK_APPROVAL_AGAIN = Move(
    name="ask_approval_again",
    starts=(State.ISSUING,),
    leads_to=State.AWAITING_APPROVAL,
    sets={**_LEASE_ENDS, **ASK_APPROVAL.sets},
    may_write=_KNOWLEDGE,
    event=Action.TOKEN_REQUESTED,
    tells={"subject": "waits_for"},
    withdrawn=DROP_WITHDRAWN,
    notice=NoticeKind.APPROVAL_ASKED,
)
_MADE_AT_AWS: Final = (
    *("fingerprint", "seconds_to_live", "aws_token_id", "aws_request_id"),
    *("issued_at", "expires_at"),
)
SEAL_WITHDRAWN = Move(
    # Nobody may have the key that came.
    name="seal_withdrawn",
    starts=(State.ISSUING,),
    leads_to=State.REVOKING,
    sets={**_LEASE_ENDS, **_NO_ERROR},
    writes=_MADE_AT_AWS,
    may_write=("smoke_test", *_KNOWLEDGE),
    event=Action.TOKEN_ISSUED,
    tells={"aws_request_id": "aws_request_id"},
    enqueues=True,
)
SEAL = Move(
    name="seal",
    starts=(State.ISSUING,),
    leads_to=State.SEALED,
    sets={**_LEASE_ENDS, **_NO_ERROR, "rung_at": None, "sealed_at": Now()},
    writes=("sealed_key", *_MADE_AT_AWS),
    may_write=SEAL_WITHDRAWN.may_write,
    event=Action.TOKEN_ISSUED,
    tells=SEAL_WITHDRAWN.tells,
    withdrawn=SEAL_WITHDRAWN,
)

# -- A token lives, and ends ----------------------------------------------------------------------

DELIVER = Move(
    name="deliver",
    starts=(State.SEALED,),
    leads_to=State.ACTIVE,
    sets={**_WIPED, "delivered_at": Now()},
    writes=("recipient",),
    event=Action.TOKEN_DELIVERED,
)
GIVE_UP_UNCLAIMED = Move(
    name="give_up_unclaimed",
    starts=(State.SEALED,),
    leads_to=State.REVOKING,
    sets={**_WIPED, **_DUE_NOW},
    event=Action.TOKEN_UNCLAIMED,
    ends=True,
    enqueues=True,
    notice=NoticeKind.UNCLAIMED,
)
BEGIN_REVOCATION = Move(
    name="begin_revocation",
    starts=(State.SEALED, State.ACTIVE),
    leads_to=State.REVOKING,
    sets={**_WIPED, **_DUE_NOW},
    event=Action.TOKEN_REVOKE_REQUESTED,
    ends=True,
    enqueues=True,
    done="revoked",
    notice=NoticeKind.REVOKED,
)
GIVE_NOTICE = Move(
    # It works on until ``revoke_at``, and until then whoever uses it can keep it.
    name="give_notice",
    starts=(State.ACTIVE,),
    leads_to=None,
    writes=("revoke_at", "notice_ends_at", "overlap_ends_at"),
    ends=True,
    done="ended with notice",
    notice=NoticeKind.ENDS_WITH_NOTICE,
)
KEEP = Move(
    name="keep",
    starts=(State.ACTIVE,),
    leads_to=None,
    sets={"notice_ends_at": None, "overlap_ends_at": None, "ended_by": "", "end_reason": ""},
    writes=("revoke_at",),
    done="kept",
    notice=NoticeKind.KEPT,
)
REVOKE_ENDED = Move(
    # It has ended here, and AWS says that it lives: until AWS says otherwise it can be revoked.
    name="revoke_ended",
    starts=(State.EXPIRED, State.REVOKED),
    leads_to=State.REVOKING,
    sets={**_DUE_NOW, **_NO_ERROR},
    event=Action.TOKEN_REVOKE_REQUESTED,
    ends=True,
    enqueues=True,
    done="revoked",
    notice=NoticeKind.REVOKED,
)
REVOKED = Move(
    name="revoked",
    starts=(State.REVOKING,),
    leads_to=State.REVOKED,
    sets={**_DUE_NOW, **_NO_ERROR, "deleted_at": Now()},
    writes=("may_exist_at_aws",),
    event=Action.TOKEN_REVOKED,
    tells={"reason": "end_reason"},
)
OUTLIVE = Move(
    # AWS would not delete it, and its time is over. It is pruned like any other.
    name="outlive",
    starts=(State.REVOKING,),
    leads_to=State.REVOKED,
    sets=_DUE_NOW,
    event=Action.TOKEN_REVOKED,
    tells={"error_code": "error_code"},
)
EXPIRE = Move(
    name="expire",
    starts=(State.ACTIVE,),
    leads_to=State.EXPIRED,
    sets={"ended_by": "", "end_reason": ""},  # whoever gave notice of it did not end it
    event=Action.TOKEN_EXPIRED,
)

PRUNE = Move(
    # It was deleted at AWS when its time was over: its name and its place in the quota are free.
    name="prune",
    starts=(State.EXPIRED, State.REVOKED),
    leads_to=None,
    sets={**_DUE_NOW, "deleted_at": Now()},
    writes=("may_exist_at_aws",),
    event=Action.TOKEN_PRUNED,
)

MOVES: Final = tuple(value for value in list(globals().values()) if isinstance(value, Move))
"""Every move there is; docs/LIFE.md lists them by these names."""
