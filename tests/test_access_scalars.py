"""Names and ids are what stands in the file, and nothing that YAML would make of it."""

from collections.abc import Callable

import pytest

from portal import access
from portal.access import AccessFile, AccessFileError

NUMBERS = [
    "010",
    "0x8",
    "0o10",
    "0b11",
    "1_000",
    "1e3",
    "1.5",
    ".5",
    "-1",
    "+8",
    "1:30",
    "190:20:30",
]
DATES = ["2024-01-01", "2024-01-01T10:00:00Z", "2026-13-45"]
WORDS = ["yes", "no", "on", "off", "true", "False", ".inf", ".nan", "=", "<<"]
NOTHING = ["null", "Null", "~"]
WRITTEN = [*NUMBERS, *DATES, *WORDS]


def problems(act: Callable[[], object]) -> list[str]:
    with pytest.raises(AccessFileError) as refused:
        act()
    return refused.value.problems


def grant(workspace: str = "w", accounts: str = "['*']", more: str = "") -> AccessFile:
    said = f"workspace: {workspace}, service_accounts: {accounts}{more}"
    return access.parse(f"version: 1\nteams:\n  a:\n    grants:\n    - {{{said}}}\n")


@pytest.mark.parametrize("text", [*WRITTEN, "8", "007"])
def test_an_account_and_a_workspace_are_named_as_they_are_written(text: str) -> None:
    if text in ("<<", "="):
        assert grant(workspace=f"'{text}'").teams[0].grants[0].workspace == text
    assert grant(workspace=text).teams[0].grants[0].workspace == text
    assert grant(accounts=f"[{text}]").teams[0].grants[0].service_accounts == (text,)


@pytest.mark.parametrize("text", ["007", "0x8", "1_000", "1e3", "2024-01-01", "yes", "no", "on"])
def test_a_team_and_a_connection_are_named_as_they_are_written(text: str) -> None:
    file = access.parse(f"version: 1\nconnections: {{{text}: {{}}}}\nteams: {{{text}: {{}}}}")
    assert (file.connections[0].name, file.teams[0].slug) == (text, text)


@pytest.mark.parametrize("text", WRITTEN)
def test_groups_are_named_as_they_are_written(text: str) -> None:
    file = access.parse(
        f"version: 1\nadmin_idp_groups: [{text}]\nauditor_idp_groups: [{text}]\n"
        f"teams: {{a: {{idp_groups: [{text}], lead_idp_groups: [{text}]}}}}"
    )
    [team] = file.teams
    assert team.idp_groups == team.lead_idp_groups == (text,)
    assert file.admin_idp_groups == file.auditor_idp_groups == (text,)


@pytest.mark.parametrize("text", [one for one in WRITTEN if one not in ("<<", "=")])
def test_an_external_id_is_named_as_it_is_written(text: str) -> None:
    file = access.parse(f"version: 1\nconnections: {{m: {{external_id: {text}}}}}")
    assert file.connections[0].external_id == text


@pytest.mark.parametrize("text", NOTHING)
def test_what_yaml_takes_for_nothing_is_refused_unless_it_is_quoted(text: str) -> None:
    said = f"{text} says nothing in YAML: quote it if it is meant"
    assert problems(lambda: grant(workspace=text)) == [
        f"line 5, column 19: teams.a.grants[0].workspace: {said}"
    ]
    assert problems(lambda: grant(accounts=f"[{text}]")) == [
        f"line 5, column 41: teams.a.grants[0].service_accounts[0]: {said}"
    ]
    assert grant(workspace=f'"{text}"').teams[0].grants[0].workspace == text
    group = f"version: 1\nteams: {{a: {{idp_groups: [{text}]}}}}"
    assert problems(lambda: access.parse(group)) == [
        f"line 2, column 26: teams.a.idp_groups[0]: {said}"
    ]
    team = f"version: 1\nteams: {{{text}: {{}}}}"
    assert problems(lambda: access.parse(team)) == [
        "line 2, column 9: a key must be a text: quote it"
    ]


def test_two_spellings_of_one_name_are_one_name() -> None:
    [found] = problems(lambda: access.parse('version: 1\nteams: {007: {}, "007": {}}'))
    assert found == "line 2, column 18: '007' stands here twice"
    assert len(access.parse("version: 1\nteams: {7: {}, 07: {}}").teams) == 2


@pytest.mark.parametrize("text", ["010", "0x8", "1_000", "1e3", "1:30", "0b1", "+5", "'5'", "1.0"])
def test_a_count_is_a_plain_whole_number(text: str) -> None:
    [found] = problems(lambda: grant(more=f", max_live: {text}"))
    assert found.startswith("line 5, column ")
    assert found.endswith("max_live: must be a whole number from 0 to 1,000,000")


@pytest.mark.parametrize(("text", "count"), [("0", 0), ("5", 5), ("1000000", 1_000_000)])
def test_a_plain_whole_number_is_a_count(text: str, count: int) -> None:
    [team] = grant(more=f", max_live: {text}").teams
    assert team.grants[0].max_live == count


@pytest.mark.parametrize("text", ["1_000", "0x10", "1:30", "1e3", "10.0"])
def test_a_duration_is_written_plainly(text: str) -> None:
    [found] = problems(lambda: grant(more=f", max_ttl: {text}, default_ttl: 1"))
    assert "max_ttl: must be a duration" in found


@pytest.mark.parametrize("text", ["1.0", "0x1", "01", "1_", '"1"', "true"])
def test_the_version_is_1(text: str) -> None:
    assert problems(lambda: access.parse(f"version: {text}")) == [
        "line 1, column 10: version: must be 1"
    ]


@pytest.mark.parametrize(
    ("text", "flag"), [("true", True), ("Yes", True), ("ON", True), ("no", False)]
)
def test_a_flag_may_be_any_word_of_yaml_for_it(text: str, flag: bool) -> None:
    file = access.parse(f"version: 1\npeople: [{{email: a@b.c, admin: {text}}}]")
    assert file.people[0].admin is flag


@pytest.mark.parametrize("text", ["1", "'true'", "y", "2024-01-01", "[true]"])
def test_anything_else_is_no_flag(text: str) -> None:
    [found] = problems(
        lambda: access.parse(f"version: 1\npeople: [{{email: a@b.c, admin: {text}}}]")
    )
    assert "people[0].admin: must be true or false" in found


@pytest.mark.parametrize("text", ["!!int 8", "!!str 010", "!!float 1e3"])
def test_a_tag_changes_no_text(text: str) -> None:
    assert grant(accounts=f"[{text}]").teams[0].grants[0].service_accounts == (text.split()[1],)


@pytest.mark.parametrize("text", ["!!binary aGk=", "!secret x", "!!python/name:os.system x"])
def test_other_tags_are_refused(text: str) -> None:
    assert any("is not known here" in one for one in problems(lambda: grant(workspace=text)))
