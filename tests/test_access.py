"""The access file's text: what it says, and what is wrong with it, to the line and column."""

import re
from collections.abc import Callable

import pytest

from portal import access
from portal.access import AccessFileError


def problems(act: Callable[[], object]) -> list[str]:
    with pytest.raises(AccessFileError) as refused:
        act()
    return refused.value.problems


# -- What it says -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 2_592_000), ("8h", 28_800), ("90m", 5400), ("45s", 45), ("600", 600), (600, 600)],
)
def test_a_duration_is_a_number_with_a_unit(text: object, seconds: int) -> None:
    assert access.seconds(text) == seconds


def test_an_empty_grant_takes_the_defaults() -> None:
    file = access.parse("version: 1\nteams: {a: {grants: [{workspace: '*', max_ttl: 1d}]}}")
    [grant] = file.teams[0].grants
    assert (grant.service_accounts, grant.max_ttl, grant.default_ttl) == (("*",), 86_400, 86_400)
    assert (grant.approval, grant.reason_required, grant.max_live) == ("never", False, None)


# -- Mistakes -----------------------------------------------------------------------------------


MISTAKES = [
    ("", "version: must be 1"),
    ("version: 2", "version: must be 1"),
    ("version: true", "version: must be 1"),
    ("- a\n- list", "the file: must be a mapping"),
    ("version: 1\nteam: {}", "the file: does not know 'team'"),
    ("version: 1\nconnections: {Main: {}}", "connections.Main: names are lower-case"),
    ("version: 1\nconnections: {m: {regoin: x}}", "connections.m: does not know 'regoin'"),
    ("version: 1\nconnections: {m: {region: [x]}}", "connections.m.region: must be a text"),
    (
        "version: 1\nconnections: {m: {role_arn: default}}",
        "connections.m.role_arn: must be the ARN of a role, like arn:aws:iam::",
    ),
    (
        "version: 1\nconnections: {m: {external_id: é1}}",
        "connections.m.external_id: must be at least 2 characters",
    ),
    (
        f"version: 1\nconnections: {{m: {{role_arn: {'x' * 201}}}}}",
        "connections.m.role_arn: must be a text of at most 200 characters",
    ),
    ("version: 1\npeople: x@example.com", "people: must be a list"),
    ("version: 1\npeople: [x@example.com]", "people[0]: must be a mapping"),
    ("version: 1\npeople: [{email: nobody}]", "people[0].email: must be an e-mail address"),
    ("version: 1\npeople: [{admin: true}]", "people[0].email: must be an e-mail address"),
    (
        f"version: 1\npeople: [{{email: {'x' * 250}@example.com}}]",
        "people[0].email: must be an e-mail address",
    ),
    ("version: 1\npeople: [{email: a@b.c, admin: 'no'}]", "people[0].admin: must be true or false"),
    ("version: 1\nteams: {A b: {}}", "teams.A b: names are lower-case letters"),
    ("version: 1\nteams: {a: {lead: []}}", "teams.a: does not know 'lead'"),
    ("version: 1\nteams: {a: {leads: l@b.c}}", "teams.a.leads: must be a list"),
    ("version: 1\nteams: {a: {members: [m]}}", "teams.a.members[0]: must be an e-mail address"),
    ('version: 1\nteams: {a: {members: ["a\\0@b.c"]}}', "teams.a.members[0]: must be an e-mail"),
    (
        "version: 1\nteams: {a: {members: [a@b.c, A@b.c]}}",
        "teams.a.members[1]: a@b.c stands here twice",
    ),
    (
        "version: 1\nteams: {a: {leads: [a@b.c], members: [A@b.c]}}",
        "teams.a.members[0]: a@b.c is a lead of this team",
    ),
    (
        "version: 1\npeople: [{email: a@b.c}, {email: A@B.c}]",
        "people[1]: a@b.c stands here twice",
    ),
    ("version: 1\nteams: {a: {idp_groups: [[7]]}}", "teams.a.idp_groups[0]: must be a text"),
    ("version: 1\nteams: {a: {idp_groups: ['']}}", "teams.a.idp_groups[0]: names no group"),
    ("version: 1\nteams: {[a]: {}}", "a key must be a text"),
    ("version: 1\npeople: !!python/object:x {}", "python/object:x is not known here"),
    ("version: &a [*a]", "this refers to itself"),
    (
        "version: 1\npeople: [{email: 'lead@example.com,'}]",
        "line 2, column 18: people[0].email: must be an e-mail address",
    ),
    (
        "version: 1\npeople: [{email: rené@example.com}]",
        "line 2, column 18: people[0].email: must be an e-mail address: before the “@” stand ASCII "
        "characters, not U+00E9 latin small letter e with acute",
    ),
    (
        'version: 1\nteams: {a: {leads: ["engineer@example.com\\u200b"]}}',
        "teams.a.leads[0]: must be an e-mail address, and holds U+200B zero width space",
    ),
    (
        "version: 1\nteams: {a: {members: [anna@bücher.example, anna@xn--bcher-kva.example]}}",
        "teams.a.members[1]: anna@xn--bcher-kva.example stands here twice",
    ),
    (
        'version: 1\nconnections: {a: {external_id: "x\\x1b"}}',
        "connections.a.external_id: holds U+001B escape, which nobody sees",
    ),
    (
        "version: 1\nteams: {a: {idp_groups: [\u200bgrafana]}}",
        "teams.a.idp_groups[0]: holds U+200B zero width space",
    ),
    ("version: 1\nteams: {a: {idp_groups: [\u00a0]}}", "teams.a.idp_groups[0]: shows nothing"),
    ("version: 1\nteams: {a\u200b: {}}", "names are lower-case letters"),
    ("version: 1\n# \u202e }; admin: true\n", "line 2, column 3: U+202E right-to-left override"),
    ("version: 1\n# just a note\u2028people: []\n", "line 2, column 14: U+2028 line separator"),
    ("version: 1\n# just a note\rpeople: []\n", "line 2, column 14: U+000D carriage return"),
    ("version: 1\nteams: {\0}\n", "line 2, column 9: U+0000 null"),
]
GRANT_MISTAKES = [
    ("{}", "workspace: is missing"),
    ("[]", ": must be a mapping"),
    ("{workspace: '*', ttl: 1d}", ": does not know 'ttl'"),
    ("{workspace: '*', max_ttl: 31d}", "max_ttl: must be a duration such as 8h, from 1s to 30d"),
    ("{workspace: '*', max_ttl: 0}", "max_ttl: must be a duration"),
    ("{workspace: '*', max_ttl: -1h}", "max_ttl: must be a duration"),
    ("{workspace: '*', max_ttl: soon}", "max_ttl: must be a duration"),
    ("{workspace: '*', max_ttl: true}", "max_ttl: must be a duration"),
    ("{workspace: '*', max_ttl: 1h, default_ttl: 2h}", "default_ttl: is longer than max_ttl"),
    ("{workspace: '*', approval: maybe}", "approval: must be one of never, admin-role, always"),
    ("{workspace: '*', reason: yes}", "reason: must be one of optional, required"),
    ("{workspace: '*', self_approval: 1}", "self_approval: must be true or false"),
    ("{workspace: '*', service_accounts: ci}", "service_accounts: must be a list"),
    ("{workspace: '*', service_accounts: []}", "service_accounts: names no service account"),
    ("{workspace: '*', max_live: many}", "max_live: must be a whole number"),
    ("{workspace: '*', max_live: 1.5}", "max_live: must be a whole number"),
    ("{workspace: '*', max_live: -1}", "max_live: must be a whole number"),
    ("{workspace: '*', service_accounts: [x, x]}", "service_accounts[1]: x stands here twice"),
    ("{workspace: '*', service_accounts: ['*', x]}", "“*” names every other one already"),
    ("{workspace: '*', service_accounts: [[x]]}", "service_accounts[0]: must be an id or a name"),
    ("{workspace: [x]}", "workspace: must be an id or a name"),
    ("{workspace: \ue000}", "workspace: holds U+E000 private use"),
    ("{workspace: x, service_accounts: ['\u00a0']}", "service_accounts[0]: shows nothing"),
    ("{workspace: '*', max_live_per_person: true}", "max_live_per_person: must be a whole number"),
]


@pytest.mark.parametrize(
    ("text", "problem"),
    MISTAKES
    + [
        (f"version: 1\nteams: {{a: {{grants: [{{workspace: '*'}}, {grant}]}}}}", problem)
        for grant, problem in GRANT_MISTAKES
    ],
    ids=[problem for _, problem in MISTAKES + GRANT_MISTAKES],
)
def test_a_mistake_is_named_with_its_place(text: str, problem: str) -> None:
    found = problems(lambda: access.parse(text))
    assert any(problem in one for one in found)
    if (text, problem) not in MISTAKES:
        assert all(": teams.a.grants[1]" in one for one in found)


@pytest.mark.parametrize("text", ["teams: {a: [}", "a: b: c", "\t- x", "a: *b"])
def test_what_is_not_yaml_is_refused(text: str) -> None:
    [found] = problems(lambda: access.parse(text))
    assert re.match(r"line \d+, column \d+: this is not YAML: \w+", found)


def test_what_stands_twice_is_refused_for_one_of_them_would_be_lost() -> None:
    twice = "version: 1\nteams:\n  a: {members: [x@example.com]}\n  a: {}\n"
    [found] = problems(lambda: access.parse(twice))
    assert "'a' stands here twice" in found
    assert "line 4" in found


def test_windows_line_ends_and_what_a_script_needs_are_as_good_as_any() -> None:
    text = "version: 1\r\n# 👩\u200d💻\r\nteams: {a: {idp_groups: [می\u200cکنم]}}\r\n"
    [team] = access.parse(text).teams
    assert team.idp_groups == ("می\u200cکنم",)


def test_all_mistakes_are_named_at_once() -> None:
    text = "version: 3\npeople: [{email: x}]\nteams: {a: {grants: [{max_ttl: 90d}]}}"
    assert len(problems(lambda: access.parse(text))) == 4


def test_each_mistake_stands_with_its_line_and_column_in_the_files_order() -> None:
    text = """\
version: 1
people:
  - {email: nobody}
teams:
  platform:
    leeds: [lead@example.com]
    members:
      - engineer@example.com
      - engineer
    grants:
      - workspace: observability
        max_ttl: 90d
        approval: maybe
      - max_ttl: 1d
"""
    assert problems(lambda: access.parse(text)) == [
        "line 3, column 13: people[0].email: must be an e-mail address",
        "line 6, column 5: teams.platform: does not know 'leeds'",
        "line 9, column 9: teams.platform.members[1]: must be an e-mail address",
        "line 12, column 18: teams.platform.grants[0].max_ttl: must be a duration such as 8h, "
        "from 1s to 30d",
        "line 13, column 19: teams.platform.grants[0].approval: must be one of never, admin-role, "
        "always",
        "line 14, column 9: teams.platform.grants[1].workspace: is missing",
    ]


def test_a_small_file_cannot_grow_in_memory() -> None:
    """Each line names the one before nine times: 9 to the power of 20, if copied."""
    for form in ("{{<<: [{}]}}", "[{}]", "{{x: [{}]}}"):
        lines = ["a0: &a0 {version: 1}"]
        for number in range(1, 21):
            again = ", ".join([f"*a{number - 1}"] * 9)
            lines.append(f"a{number}: &a{number} {form.format(again)}")
        with pytest.raises(AccessFileError):
            access.parse("\n".join(lines))


def test_a_file_that_is_nested_without_end_is_refused_in_words() -> None:
    block = "".join(f"{' ' * depth}a:\n" for depth in range(1000))
    for deep in (block, "[" * 100_000, "{a: " * 100_000, "- " * 100_000):
        with pytest.raises(AccessFileError, match="nested too deeply"):
            access.parse(deep)


def test_only_mappings_are_merged() -> None:
    for wrong in ("<<: 1", "<<: [1]", "<<: text"):
        with pytest.raises(AccessFileError, match="only mappings can be merged"):
            access.parse(f"version: 1\n{wrong}")


def test_of_several_merged_mappings_the_first_wins() -> None:
    file = access.parse(
        "version: 1\nconnections:\n"
        "  a: &a {region: eu-west-1, role_arn: 'arn:aws:iam::1:role/a'}\n"
        "  b: &b {region: us-east-1, external_id: bb}\n"
        "  c: {<<: [*a, *b], role_arn: 'arn:aws:iam::1:role/c'}\n"
    )
    assert file.connections[2] == access.ConnectionEntry(
        "c", "eu-west-1", "arn:aws:iam::1:role/c", "bb"
    )


def test_anchors_and_merges_say_what_yaml_lets_them_say() -> None:
    file = access.parse("""
version: 1
teams:
  a:
    grants:
      - &usual {workspace: x, max_ttl: 1d, approval: always}
      - {<<: *usual, workspace: y, max_ttl: 2d}
  b: {grants: [*usual, {workspace: z, <<: *usual}]}
""")
    told = [
        (one.workspace, one.max_ttl, one.approval) for team in file.teams for one in team.grants
    ]
    assert told == [
        ("x", 86_400, "always"),
        ("y", 172_800, "always"),
        ("x", 86_400, "always"),
        ("z", 86_400, "always"),
    ]


def test_a_date_that_is_none_is_a_text() -> None:
    found = problems(lambda: access.parse("version: 2026-13-45"))
    assert found == ["line 1, column 10: version: must be 1"]


def test_a_file_says_whether_it_names_all_admins() -> None:
    assert not access.parse("version: 1").names_all_admins
    assert access.parse("version: 1\npeople: []").names_all_admins
