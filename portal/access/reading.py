"""Reads an access file: each thing that it says, and each mistake with its place."""

from pathlib import Path

from portal.access.bounds import LONGEST_FILE
from portal.access.connections import TROUBLE_WITH
from portal.access.document import Item, read
from portal.access.entries import (
    EVERY,
    KEEP,
    REVOKE,
    AccessFile,
    AccessFileError,
    ConnectionEntry,
    GrantEntry,
    PersonEntry,
    Place,
    Problem,
    TeamEntry,
)
from portal.access.values import Fields, Values
from portal.access.warnings import warnings_about
from portal.amg import LONGEST_LIFETIME

_FILE = {
    "version",
    "connections",
    "people",
    "admin_idp_groups",
    "auditor_idp_groups",
    "teams",
}
_CONNECTION = {"region": 32, "role_arn": 200, "external_id": 200}
"""What a connection may say, and the most characters of each."""
_TEAM = {"leads", "members", "idp_groups", "lead_idp_groups", "on_leaving", "grants"}
_GRANT = {
    "workspace",
    "service_accounts",
    "max_ttl",
    "default_ttl",
    "approval",
    "reason",
    "self_approval",
    "max_live",
    "max_live_per_person",
    "max_overlap",
}
_USUAL_LIFETIME = 7 * 86_400


def load(path: Path) -> bytes:
    """The bytes of an access file. Raises OSError, or AccessFileError for one that is too large."""
    with path.open("rb") as file:
        content = file.read(4 * LONGEST_FILE + 1)
    if len(content) > 4 * LONGEST_FILE:  # as many bytes as so many characters may have
        text = f"is longer than {LONGEST_FILE:,} characters"
        raise AccessFileError([Problem(Place("the file"), text)])
    return content


def parse(text: str) -> AccessFile:
    """Read an access file; raises AccessFileError with every mistake that is in it."""
    values = Values()
    file = _Reader(values).file(read(text))
    if values.problems:
        raise AccessFileError(values.problems)
    return file


class _Reader:
    """Walks the document."""

    def __init__(self, values: Values) -> None:
        self._is = values

    def file(self, root: Item) -> AccessFile:
        top = self._is.fields(root, "the file", _FILE)
        version = top("version")
        if (version.value, version.kind) != ("1", "int"):
            self._is.say(version, "version", "must be 1")
        connections = tuple(
            self._connection(name, entry)
            for name, entry in self._is.pairs(top("connections"), "connections")
        )
        people = self._people(top("people"))
        teams = tuple(
            self._team(slug, entry) for slug, entry in self._is.pairs(top("teams"), "teams")
        )
        groups = [
            self._groups(top, "", name) for name in ("admin_idp_groups", "auditor_idp_groups")
        ]
        return AccessFile(
            connections,
            people,
            teams,
            names_all_admins="people" in top.values,
            admin_idp_groups=groups[0],
            auditor_idp_groups=groups[1],
            warnings=tuple(warnings_about(people, teams)),
        )

    def _connection(self, name: Item, entry: Item) -> ConnectionEntry:
        path = f"connections.{name.value}"
        fields = self._is.fields(entry, path, set(_CONNECTION))
        said = {
            key: self._is.text(value, f"{path}.{key}", _CONNECTION[key])
            for key, value in fields.values.items()
        }
        for key, text in said.items():
            if text and (why := TROUBLE_WITH[key](text)):
                self._is.say(fields(key), f"{path}.{key}", why)
        return ConnectionEntry(self._is.slug(name, path), **said, place=name.at(path))

    def _people(self, listed: Item) -> tuple[PersonEntry, ...]:
        def person(entry: Item, path: str) -> PersonEntry:
            fields = self._is.fields(entry, path, {"email", "admin", "auditor"})
            return PersonEntry(
                self._is.email(fields("email"), f"{path}.email"),
                self._is.flag(fields("admin", False), f"{path}.admin"),
                self._is.flag(fields("auditor", False), f"{path}.auditor"),
                place=fields("email").at(path),
            )

        people = self._is.each(listed, "people", person)
        self._is.once(listed, "people", [one.email for one in people])
        return people

    def _team(self, slug: Item, entry: Item) -> TeamEntry:
        path = f"teams.{slug.value}"
        fields = self._is.fields(entry, path, _TEAM)
        leads = self._is.distinct(fields("leads"), f"{path}.leads", self._is.email)
        members = self._is.distinct(fields("members"), f"{path}.members", self._is.email)
        lead = set(leads)
        for number, email in enumerate(members):
            if email and email in lead:
                item = fields("members").value[number]
                self._is.say(item, f"{path}.members[{number}]", f"{email} is a lead of this team")
        return TeamEntry(
            self._is.slug(slug, path),
            leads,
            members,
            self._is.each(fields("grants"), f"{path}.grants", self._grant),
            idp_groups=self._groups(fields, f"{path}.", "idp_groups"),
            lead_idp_groups=self._groups(fields, f"{path}.", "lead_idp_groups"),
            on_leaving=self._is.word(
                fields("on_leaving", KEEP), f"{path}.on_leaving", (KEEP, REVOKE)
            ),
            place=slug.at(path),
        )

    def _groups(self, fields: Fields, path: str, name: str) -> tuple[str, ...]:
        return self._is.distinct(fields(name), f"{path}{name}", self._is.group)

    def _grant(self, entry: Item, path: str) -> GrantEntry:
        fields = self._is.fields(entry, path, _GRANT)
        every = [Item(EVERY, entry.line, entry.column, "str")]
        listed = fields("service_accounts", every)
        accounts = self._is.distinct(listed, f"{path}.service_accounts", self._is.name)
        if listed.value == []:
            self._is.say(listed, f"{path}.service_accounts", "names no service account")
        if EVERY in accounts and len(accounts) > 1:
            self._is.say(listed, f"{path}.service_accounts", "“*” names every other one already")
        max_ttl = self._is.lifetime(fields("max_ttl", "30d"), f"{path}.max_ttl")
        usual = str(min(max_ttl or LONGEST_LIFETIME, _USUAL_LIFETIME))
        suggested = fields("default_ttl", usual)
        default_ttl = self._is.lifetime(suggested, f"{path}.default_ttl")
        if max_ttl and default_ttl > max_ttl:
            self._is.say(suggested, f"{path}.default_ttl", "is longer than max_ttl")
        approvals = ("never", "admin-role", "always")
        reasons = ("optional", "required")
        reason = self._is.word(fields("reason", "optional"), f"{path}.reason", reasons)
        return GrantEntry(
            workspace=self._is.name(fields("workspace"), f"{path}.workspace"),
            service_accounts=accounts,
            max_ttl=max_ttl,
            default_ttl=default_ttl,
            approval=self._is.word(fields("approval", "never"), f"{path}.approval", approvals),
            reason_required=reason == "required",
            self_approval=self._is.flag(fields("self_approval", False), f"{path}.self_approval"),
            max_live=self._is.count(fields("max_live"), f"{path}.max_live"),
            max_live_per_person=self._is.count(
                fields("max_live_per_person"), f"{path}.max_live_per_person"
            ),
            max_overlap=self._is.lifetime(
                fields("max_overlap", "7d"), f"{path}.max_overlap", least=0
            ),
            place=fields("workspace").at(path),
            account_places=tuple(
                item.at(f"{path}.service_accounts[{number}]")
                for number, item in enumerate(self._is.items(listed))
            ),
        )
