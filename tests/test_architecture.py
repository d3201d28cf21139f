"""What import-linter can't say: inside Django, flows keep away from HTTP; no import hides."""

import ast
from pathlib import Path

import pytest

from portal.models import Action

PORTAL = Path(__file__).resolve().parent.parent / "portal"
HTTP = ("django.http", "django.shortcuts", "django.urls", "django.views", "django.template")
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
    assert len(path.read_text().splitlines()) <= 300


def test_only_sweep_and_reissue_call_other_flows() -> None:
    """recover.py and standing.py are no verbs: they are rules that several flows share."""
    rules = ("portal.flows.recover", "portal.flows.standing")
    callers = {
        path.stem
        for path in (PORTAL / "flows").glob("*.py")
        for name in imports(ast.parse(path.read_text()))
        if name.startswith("portal.flows.") and not name.startswith(rules)
    }
    assert callers <= {"sweep", "reissue"}


def test_every_word_of_the_audit_log_is_written_by_a_flow() -> None:
    """The set is closed: a word that nobody writes would promise what is never told."""
    text = "".join(path.read_text() for path in (PORTAL / "flows").glob("*.py"))
    assert [one.name for one in Action if f"Action.{one.name}" not in text] == []
