"""The rows: people, the catalog of what AMG has, tokens and the audit log."""

from portal.models.account_mails import AccountMail, AccountMailKind
from portal.models.assertions import SpentAssertion
from portal.models.audit import Action, AuditEvent, AuditHead, Outcome
from portal.models.catalog import Approval, Connection, Grant, ServiceAccount, Workspace
from portal.models.handovers import Handover, HandoverAnswer
from portal.models.identities import PersonGroup, ProviderSession
from portal.models.inventory import Drift, ListedToken
from portal.models.lead_mails import LeadMail, LeadMailKind
from portal.models.limits import LimitUse
from portal.models.lost_mails import LostMail
from portal.models.mail_choices import MailTopic, UnwantedMail
from portal.models.notices import Notice, NoticeKind
from portal.models.password_mails import PasswordMail
from portal.models.people import (
    GroupRight,
    Membership,
    NamedRole,
    OnLeaving,
    Right,
    Role,
    Team,
    User,
)
from portal.models.runtime import Clock, FailedSignIns, Heartbeat
from portal.models.scim import ProvisionedPerson, ScimGroup, ScimGroupMember
from portal.models.sessions import UserSession
from portal.models.states import State
from portal.models.tallies import Tally
from portal.models.token_places import LONGEST_PLACE, TokenPlace
from portal.models.tokens import Token
from portal.models.webhooks import Webhook, WebhookDelivery, WebhookFormat, WebhookKind

__all__ = [
    "LONGEST_PLACE",
    "AccountMail",
    "AccountMailKind",
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
    "Handover",
    "HandoverAnswer",
    "Heartbeat",
    "LeadMail",
    "LeadMailKind",
    "LimitUse",
    "ListedToken",
    "LostMail",
    "MailTopic",
    "Membership",
    "NamedRole",
    "Notice",
    "NoticeKind",
    "OnLeaving",
    "Outcome",
    "PasswordMail",
    "PersonGroup",
    "ProviderSession",
    "ProvisionedPerson",
    "Right",
    "Role",
    "ScimGroup",
    "ScimGroupMember",
    "ServiceAccount",
    "SpentAssertion",
    "State",
    "Tally",
    "Team",
    "Token",
    "TokenPlace",
    "UnwantedMail",
    "User",
    "UserSession",
    "Webhook",
    "WebhookDelivery",
    "WebhookFormat",
    "WebhookKind",
    "Workspace",
]
