"""The demo people, and what they may do when no access file says otherwise."""

from typing import Any

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db.models import Q

from portal.access import (
    EVERY,
    AccessFile,
    ConnectionEntry,
    GrantEntry,
    PersonEntry,
    TeamEntry,
    words,
)
from portal.amg import LONGEST_LIFETIME
from portal.models import Action, AuditEvent, User, Workspace

PEOPLE = {
    "engineer@example.com": "engineer in team platform",
    "teammate@example.com": "engineer in team platform",
    "lead@example.com": "lead of team platform",
    "outsider@example.com": "engineer in team mobile",
    "admin@example.com": "admin and auditor",
}


GROUP = "grafana-platform"
"""Its people are members of team platform."""


def at_the_provider() -> list[dict[str, Any]]:
    """Whom the sandbox's single sign-on offers: the demo people, and two without an account yet."""
    others: dict[str, tuple[str, list[str]]] = {
        "newcomer@example.com": (f"new here, in the group {GROUP}", [GROUP]),
        "stranger@example.com": ("of the same company, in no group that counts here", ["everyone"]),
    }
    offered = {email: (about, ["everyone"]) for email, about in PEOPLE.items()} | others
    return [
        {"email": email, "name": email.partition("@")[0].title(), "about": about, "groups": groups}
        for email, (about, groups) in offered.items()
    ]


def access_file() -> AccessFile:
    """Team platform gets every workspace but the last by name, which is team mobile's."""
    workspaces = list(Workspace.objects.present().order_by("name", "aws_id"))
    ids = [workspace.aws_id for workspace in workspaces]
    platform, mobile = ids[:-1], ids[-1:]
    return AccessFile(
        connections=(ConnectionEntry("main"),),
        people=(PersonEntry("admin@example.com", admin=True, auditor=True),),
        teams=(
            TeamEntry(
                "platform",
                leads=("lead@example.com",),
                members=("engineer@example.com", "teammate@example.com"),
                idp_groups=(GROUP,),
                grants=tuple(_grant(workspace) for workspace in platform),
            ),
            TeamEntry(
                "mobile",
                leads=(),
                members=("outsider@example.com",),
                grants=tuple(_grant(workspace) for workspace in mobile),
            ),
        ),
    )


def _grant(workspace: str) -> GrantEntry:
    return GrantEntry(
        workspace=workspace,
        service_accounts=(EVERY,),
        max_ttl=LONGEST_LIFETIME,
        default_ttl=7 * 86_400,
        approval="never",
        reason_required=False,
        self_approval=False,
        max_live=None,
        max_live_per_person=None,
    )


def is_in_force() -> bool:
    """Whether nobody has applied an access file or changed access by hand since the demo's own."""
    changes = AuditEvent.objects.filter(action=Action.ACCESS_CHANGED, token_id=None)
    told = changes.filter(
        Q(reason="") | Q(reason=words.BY_HAND) | Q(reason__startswith=words.BY_FILE)
    )
    return not told.order_by("-seq").values_list("reason", flat=True).first()


def set_passwords() -> None:
    """Give the demo people their password, unless they have it: a start must be quick.

    They share one password, so they may share its hash too, and one check tells for all.
    """
    people = [User.objects.get_or_create(email=email)[0] for email in PEOPLE]
    first = people[0]
    if all(person.password == first.password and person.is_demo for person in people) and (
        check_password(settings.DEMO_PASSWORD, first.password)
    ):
        return
    User.objects.filter(email__in=PEOPLE).update(
        is_demo=True, password=make_password(settings.DEMO_PASSWORD)
    )
