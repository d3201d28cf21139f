"""No access file costs more than a moment, whatever stands in it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from portal import access
from portal.access import AccessFileError
from portal.access.bounds import LONGEST_FILE
from tests import big_access

LONG = 1.0
"""Seconds of work; a page waits for the answer."""


def refused_at_once(text: str) -> list[str]:
    began = time.thread_time()
    with pytest.raises(AccessFileError) as refused:
        access.parse(text)
    assert time.thread_time() - began < LONG
    return refused.value.problems


def fan(lines: int, form: str, fan_out: int = 9) -> str:
    """Each line names the one before so many times."""
    text = ["version: 1", "a0: &a0 {x: 1}"]
    for number in range(1, lines):
        again = ", ".join([f"*a{number - 1}"] * fan_out)
        text.append(f"a{number}: &a{number} {form.format(again)}")
    return "\n".join(text)


@pytest.mark.parametrize("form", ["[{}]", "{{x: [{}]}}", "{{<<: [{}]}}", "{{members: [{}]}}"])
@pytest.mark.parametrize(("lines", "fan_out"), [(20, 9), (30, 300), (900, 9)])
def test_aliases_that_fan_out_are_refused_at_once(form: str, lines: int, fan_out: int) -> None:
    text = fan(lines, form, fan_out)
    [found] = refused_at_once(text)[:1]
    assert "aliases written out" in found or "nested too deeply" in found
    assert found.startswith("line ")


def test_a_file_of_45_kilobytes_that_is_a_list_of_lists_is_refused_at_once() -> None:
    people = ", ".join(f"{{email: p{number}@example.com}}" for number in range(500))
    teams = "\n".join(f"  t{number}: {{grants: *g}}" for number in range(1500))
    grants = ", ".join("{workspace: w}" for _ in range(400))
    text = f"version: 1\npeople: [{people}]\nteams:\n  t: {{grants: &g [{grants}]}}\n{teams}"
    assert len(text) > 45_000
    [found] = refused_at_once(text)
    assert "aliases written out" in found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"0x{'f' * 4500}", id="hexadecimal"),
        pytest.param("9" * 4500, id="decimal"),
        pytest.param(f"0{'7' * 4500}", id="octal"),
        pytest.param(f"0b{'1' * 4500}", id="binary"),
        pytest.param(f"1{':59' * 1500}", id="sexagesimal"),
        pytest.param(f"1e{'9' * 4500}", id="exponent"),
        pytest.param("x" * 100_000, id="text"),
    ],
)
@pytest.mark.parametrize(
    "place",
    [
        "version: {}",
        "version: 1\nteams: {{a: {{grants: [{{workspace: {}}}]}}}}",
        "version: 1\nteams: {{a: {{grants: [{{workspace: w, max_live: {}}}]}}}}",
        "version: 1\nteams: {{a: {{grants: [{{workspace: w, max_ttl: {}}}]}}}}",
        "version: 1\nteams: {{a: {{grants: [{{workspace: w, service_accounts: [{}]}}]}}}}",
        "version: 1\nteams: {{a: {{idp_groups: [{}]}}}}",
        "version: 1\nconnections: {{m: {{region: {}}}}}",
        "version: 1\npeople: [{{email: {}}}]",
        "version: 1\n? {}\n: 1",
    ],
)
def test_a_long_number_or_text_is_refused_in_words(place: str, text: str) -> None:
    found = refused_at_once(place.format(text))
    assert all(len(one) < 300 for one in found)


@pytest.mark.parametrize("length", [200, 256, 1000])
def test_a_name_that_is_longer_than_any_is_refused_in_a_line(length: int) -> None:
    name = "w" * length
    text = f"version: 1\n{name}: 1\nteams: {{a: {{grants: [{{workspace: {name}}}], {name}: 1}}}}"
    found = refused_at_once(text)
    assert len(found) == (3 if length > 255 else 2)
    assert all(len(one) < 200 for one in found)


@pytest.mark.parametrize("what", ["[", "{", "- ", "? ", "a: {b: [", "[[{x: "])
def test_depth_is_refused_in_words(what: str) -> None:
    [found] = refused_at_once(what * 20_000)
    assert "nested too deeply" in found


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    [found] = refused_at_once("#" * (LONGEST_FILE + 1))
    assert found == "the file: is longer than 2,000,000 characters"
    file = tmp_path / "access.yaml"
    with file.open("wb") as sparse:
        sparse.truncate(50_000_000_000)
    with pytest.raises(AccessFileError, match="is longer than"):
        access.load(file)


def test_many_mistakes_are_named_up_to_a_number() -> None:
    people = ", ".join("{email: nobody}" for _ in range(5000))
    found = refused_at_once(f"version: 1\npeople: [{people}]")
    assert len(found) == 201
    assert found[-1] == "and 4,800 more mistakes"


def test_people_who_are_leads_and_members_are_found_in_long_lists() -> None:
    leads = ", ".join(f"a{number}@b.c" for number in range(20_000))
    members = ", ".join(f"A{number}@b.c" for number in range(20_000))
    began = time.thread_time()
    with pytest.raises(AccessFileError):
        access.parse(f"version: 1\nteams: {{a: {{leads: [{leads}], members: [{members}]}}}}")
    assert time.thread_time() - began < 5 * LONG


@pytest.mark.parametrize(
    "make",
    [lambda: "\0", lambda: "a\x07: 1", lambda: "\ufffe", lambda: "\x85: [", lambda: "%YAML 9"],
)
def test_what_no_yaml_may_hold_is_refused_in_words(make: Callable[[], str]) -> None:
    refused_at_once(make())


def test_a_large_company_s_file_is_within_the_bounds() -> None:
    text = big_access.access_file("company")
    assert len(access.parse(text).teams) == 200
    assert len(access.parse(big_access.access_file("c", people=20_000, grants=8_000)).teams) == 200
