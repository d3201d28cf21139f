"""How changes of access are said, in plans and in the audit log: one line each.

``+`` is new, ``-`` is gone, ``~`` has changed. Limits are said in the access file's own words.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from portal.access.entries import Problem
from portal.access.resolving import Scope
from portal.models import Grant, Team, Token
from portal.text import shown

BY_FILE = "file "
"""The reason in the audit log of what an access file changed, before the file's SHA-256."""
BY_HAND = "Django's admin"
"""The reason of what an admin changed without one. What the demo's own access changes has none."""
BY_GROUPS = "groups of single sign-on"
"""The reason of what a person's groups changed, at a sign-in or by provisioning."""
BY_PROVISIONING = "provisioning"
"""The reason of what the company's provider changed by SCIM."""
BY_PROVIDER = "single sign-on"
"""The reason of what an identity provider has changed of a person's name or address."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


class Change(NamedTuple):
    """One change of access, in words, and the team that it belongs to."""

    line: str
    team: Team | None = None


def connection(name: str, changed: list[str]) -> Change:
    """A way into AWS; what it says now is for those who may read it, not for the log."""
    return Change(
        f"~ connection {name}: {', '.join(changed)}" if changed else f"+ connection {name}"
    )


def rights(admin: bool, auditor: bool) -> str:
    """What a person is to the whole portal."""
    said = [word for word, is_so in (("admin", admin), ("auditor", auditor)) if is_so]
    return " and ".join(said) or "neither admin nor auditor"


def groups(name: str, wanted: Sequence[str], team: Team | None = None) -> Change:
    """Which groups of single sign-on a file names for something."""
    subject = f"team {team.slug}: {name}" if team else name
    return Change(f"~ {subject} now {', '.join(wanted) or 'none'}", team)


def person(email: str, *, is_active: bool) -> Change:
    """Somebody is new here."""
    return Change(f"+ person {email}" if is_active else f"+ person {email}: may not sign in")


def account(email: str, *, is_active: bool) -> Change:
    """Somebody's account was opened or closed."""
    may = "may sign in again" if is_active else "may not sign in any more"
    return Change(f"~ person {email}: {may}")


def warning(problem: Problem) -> str:
    """What may mean something else than the file's author thinks."""
    return f"? {problem}"


def memberships(
    team: Team, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[Change]:
    """Changes of a team's people: roles by e-mail address."""
    for email, role in before.items():
        if email not in after:
            yield Change(f"- {role} {email} of {team.slug}", team)
        elif after[email] != role:
            yield Change(f"~ {email} of {team.slug}: now {after[email]}", team)
    for email, role in after.items():
        if email not in before:
            yield Change(f"+ {role} {email} of {team.slug}", team)


def grants(
    team: Team, before: Mapping[Scope, Grant], after: Mapping[Scope, Grant]
) -> Iterator[Change]:
    """Changes of a team's grants."""
    for scope, grant in before.items():
        subject = f"grant of {team.slug} for {grant.where}"
        if scope not in after:
            yield Change(f"- {subject}", team)
        elif changes := _limits_changed(grant, after[scope]):
            yield Change(f"~ {subject}: {', '.join(changes)}", team)
    for scope, grant in after.items():
        if scope not in before:
            said = [f"{name} {value}" for name, value in limits(grant).items()]
            said += ["suspended"] if grant.suspended_at is not None else []
            yield Change(f"+ grant of {team.slug} for {grant.where}: {', '.join(said)}", team)


def suspended(grant: Grant) -> Change:
    """A grant for what AMG has changed."""
    return Change(f"~ grant of {grant.team.slug} for {grant.where}: suspended", grant.team)


def token(mark: str, token: Token) -> str:
    """A token whose owner loses access to it."""
    until = f", until {token.ends_at:%Y-%m-%d %H:%M} UTC" if token.ends_at else ""
    account = token.service_account
    return (
        f"{mark} {token.get_state_display()}: {shown(token.name)} of {token.owner.email} "
        f"in {token.team.slug}, for {shown(token.workspace.name)} / {shown(account.name)}{until}"
    )


def duration(seconds: int) -> str:
    """Seconds as an access file says them: ``30d``, ``8h``, ``90m``."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"{seconds // size}{unit}"


def limits(grant: Grant) -> dict[str, str]:
    """What a grant says, where it says anything."""
    said = {
        "max_ttl": duration(grant.max_ttl),
        "default_ttl": duration(grant.default_ttl),
        "approval": grant.approval,
        "reason": "required" if grant.reason_required else "optional",
        "self_approval": "true" if grant.self_approval else "false",
    }
    said["max_overlap"] = duration(grant.max_overlap) if grant.max_overlap else "0s"
    if grant.max_live is not None:
        said["max_live"] = str(grant.max_live)
    if grant.max_live_per_person is not None:
        said["max_live_per_person"] = str(grant.max_live_per_person)
    return said


def _limits_changed(before: Grant, after: Grant) -> list[str]:
    was, now = limits(before), limits(after)
    changes = [
        f"{name} {was.get(name, 'unlimited')} → {now.get(name, 'unlimited')}"
        for name in {**was, **now}
        if was.get(name) != now.get(name)
    ]
    if before.suspended_at is not None and after.suspended_at is None:
        changes.append("confirmed")
    return changes
