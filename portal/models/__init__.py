"""The rows: people, the catalog of what AMG has, tokens and the audit log."""

from portal.models.audit import Action, AuditEvent, AuditHead, Outcome
from portal.models.catalog import Approval, Connection, Grant, ServiceAccount, Workspace
from portal.models.inventory import Drift, ListedToken
from portal.models.limits import LimitUse
from portal.models.notices import Notice, NoticeKind
from portal.models.password_mails import PasswordMail
from portal.models.people import GroupRight, Membership, OnLeaving, Right, Role, Team, User
from portal.models.runtime import Clock, FailedSignIns, Heartbeat
from portal.models.states import State
from portal.models.tokens import Token

__all__ = [
    "Action",
    "Approval",
    "AuditEvent",
    "AuditHead",
    "Clock",
    "Connection",
    "Drift",
    "FailedSignIns",
    "Grant",
    "GroupRight",
    "Heartbeat",
    "LimitUse",
    "ListedToken",
    "Membership",
    "Notice",
    "NoticeKind",
    "OnLeaving",
    "Outcome",
    "PasswordMail",
    "Right",
    "Role",
    "ServiceAccount",
    "State",
    "Team",
    "Token",
    "User",
    "Workspace",
]
