"""What import-linter can't say: inside Django, flows keep away from HTTP; no import hides."""

import ast
import re
from pathlib import Path

import pytest

from portal.life.moves import MOVES
from portal.models import Action
from tests import house

PORTAL = Path(__file__).resolve().parent.parent / "portal"
HTTP = ("django.http", "django.shortcuts", "django.urls", "django.views", "django.template")
LONGER = {"audit/verify.py": 510, "life/moves.py": 335, "models/tokens.py": 325}
"""Auditors run the first on machines of their own, with nothing beside; the others are tables."""
FILES = sorted(path for path in PORTAL.rglob("*.py") if "migrations" not in path.parts)


def imports(node: ast.AST) -> list[str]:
    found = []
    for child in ast.walk(node):
        if isinstance(child, ast.Import):
            found += [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            found += [f"{child.module}.{alias.name}" for alias in child.names]
    return found


@pytest.mark.parametrize("path", sorted((PORTAL / "flows").glob("*.py")), ids=lambda p: p.stem)
def test_a_flow_does_not_know_http(path: Path) -> None:
    assert [name for name in imports(ast.parse(path.read_text())) if name.startswith(HTTP)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PORTAL)))
def test_no_import_hides_in_a_function(path: Path) -> None:
    functions = (
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    assert [name for function in functions for name in imports(function)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PORTAL)))
def test_a_file_stays_small(path: Path) -> None:
    most = LONGER.get(str(path.relative_to(PORTAL)), 300)
    assert len(path.read_text().splitlines()) <= most


def test_a_waiver_says_why() -> None:
    """Whoever meets one that is needed no longer should see what it was for."""
    bare = re.compile(r"(noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\])\s*$", re.MULTILINE)
    found = [f"{path}: {one}" for path in FILES for one in bare.findall(path.read_text())]
    assert found == []


def test_only_few_flows_call_others() -> None:
    """These are no verbs: rules that several flows share, and a part of issuing.

    Whoever hears of groups, a sign-in or provisioning, ends what is lost in the same breath.
    """
    rules = ("portal.flows.recover", "portal.flows.recheck", "portal.flows.attempt")
    callers = {
        path.stem
        for path in (PORTAL / "flows").glob("*.py")
        for name in imports(ast.parse(path.read_text()))
        if name.startswith("portal.flows.") and not name.startswith(rules)
    }
    hear_of_groups = {"sync_groups", "follow_groups", "admit", "provision", "provision_groups"}
    assert (
        callers
        <= {"sweep", "reissue", "renew", "leave", "leaving", "answer_handover"} | hear_of_groups
    )


def test_every_action_of_the_audit_log_is_recorded_by_a_move_or_by_a_flow() -> None:
    """The set is closed: an action that nothing records would promise what is never told."""
    recorded = {move.event for move in MOVES}
    for path in (PORTAL / "flows").glob("*.py"):
        recorded |= {
            getattr(Action, node.attr)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "Action"
        }
    assert set(Action) - recorded == set()


def test_the_map_of_the_house_is_the_house() -> None:
    rooms = [room for layer in house.layers() for room in layer]
    assert [room for room in rooms if not house.said_by(room)] == []
    assert "\n".join(house.table()) in house.PAGE.read_text(), "python -m tests.house draws it anew"
