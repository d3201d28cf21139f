"""The life of a token as portal/life/moves.py declares it, in the code and in docs/LIFE.md."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from portal import life
from portal.audit import SYSTEM
from portal.audit.vocabulary import FIELDS
from portal.life import WrongStateError, moves
from portal.life.move import Move
from portal.life.moves import MOVES
from portal.models import AuditEvent, Notice, State, Token, User
from portal.models.states import OPEN, WAITING_FOR_KEY

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs" / "LIFE.md"
MADE_BY_A_NEW_ROW = [move for move in MOVES if not move.starts]
MADE_OF_A_ROW = [move for move in MOVES if move.starts]
MADE_BY_WORK = [move for move in MADE_OF_A_ROW if move is not moves.CLAIM]


# -- What is declared -----------------------------------------------------------------------------


def test_every_name_is_that_of_its_constant() -> None:
    assert [move.name for move in MOVES] == [
        name.lower() for name, value in vars(moves).items() if isinstance(value, Move)
    ]


def test_every_open_state_can_be_left_and_every_other_is_an_end_unless_aws_says_that_it_lives() -> (
    None
):
    left = {
        state
        for move in MOVES
        if move is not moves.REVOKE_ENDED
        for state in move.starts
        if move.leads_to is not None and move.leads_to != state
    }
    assert left == set(OPEN)


def test_every_state_can_be_reached_from_a_request() -> None:
    reached = {move.leads_to for move in MADE_BY_A_NEW_ROW}
    for _ in State:
        reached |= {move.leads_to for move in MADE_OF_A_ROW if reached & set(move.starts)}
    assert reached - {None} == set(State)


def test_a_key_is_wiped_by_every_move_that_leaves_sealed() -> None:
    leaving = [move for move in MADE_OF_A_ROW if State.SEALED in move.starts]
    assert leaving
    assert [move.name for move in leaving if move.sets.get("sealed_key", "kept") is not None] == []


def test_every_move_of_an_attempt_ends_its_lease() -> None:
    leaving = [
        move for move in MADE_OF_A_ROW if State.ISSUING in move.starts and move.leads_to is not None
    ]
    assert leaving
    assert [move.name for move in leaving if move.sets.get("lease_until", "held") is not None] == []


# -- In the code ----------------------------------------------------------------------------------


WRITERS = ("update", "change", "create", "Token")


def _assignments_of_state(tree: ast.AST) -> Iterator[int]:
    """Lines that give a column ``state`` a value: by keyword, in a mapping, or on an object."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in WRITERS:
            yield from (node.lineno for keyword in node.keywords if keyword.arg == "state")
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                is_state = isinstance(key, ast.Constant) and key.value == "state"
                if is_state and ast.unparse(value).startswith("State."):
                    yield node.lineno
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(one, ast.Attribute) and one.attr == "state" for one in targets):
                yield node.lineno


def test_nothing_but_the_life_assigns_a_state() -> None:
    found = {
        f"{path.relative_to(ROOT)}:{line}"
        for path in (ROOT / "portal").rglob("*.py")
        if path.parent.name not in {"life", "migrations", "sandbox"}
        for line in _assignments_of_state(ast.parse(path.read_text()))
    }
    assert found == set()


def test_an_assignment_of_state_would_be_seen() -> None:
    for code in (
        "token.state = 1",
        "rows.update(state=1)",
        "token.change(state=1)",
        "x = {'state': State.ACTIVE}",
    ):
        assert list(_assignments_of_state(ast.parse(code))) == [1], code


# -- In the rows ----------------------------------------------------------------------------------


def _row(make_token: Callable[..., Token], owner: User, state: State) -> Token:
    fields: dict[str, Any] = {"state": state}
    if state == State.ISSUING:
        fields["lease_until"] = timezone.now()
    if state == State.SEALED:
        fields["sealed_key"] = b"ciphertext"
    if state not in WAITING_FOR_KEY:
        fields["public_key"] = b""
    return make_token(owner, **fields)


def _columns(move: Move) -> dict[str, Any]:
    values: dict[str, Any] = {
        "seconds_to_live": 60,
        "public_key": b"key",
        "sealed_key": b"ciphertext",
        "may_exist_at_aws": True,
        "not_before": None,
        "approved_at": timezone.now(),
        "issued_at": timezone.now(),
        "expires_at": timezone.now(),
        "revoke_at": timezone.now(),
        "notice_ends_at": timezone.now(),
        "overlap_ends_at": None,
    }
    said = {name: values.get(name, "x") for name in move.writes}
    if "recipient" in said:
        said["recipient"] = User.objects.first()
    if move.event is not None:
        said |= {"reason": "because"}
    if move is moves.REVOKED or move is moves.PRUNE:
        said["aws_request_id"] = "5b1c"
    if move is moves.PRUNE:
        del said["reason"]
    return said


@pytest.mark.django_db
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("move", MADE_BY_WORK, ids=lambda move: move.name)
def test_a_move_is_made_from_the_states_that_it_names_and_from_no_other(
    make_token: Callable[..., Token], engineer: User, lead: User, move: Move, state: State
) -> None:
    token = _row(make_token, engineer, state)
    before = Token.objects.filter(pk=token.pk).values().get()
    if state not in move.starts:
        with pytest.raises(WrongStateError), life.work(SYSTEM) as work:
            work.move(work.lock(token.pk), move, **_columns(move))
        assert Token.objects.filter(pk=token.pk).values().get() == before
        assert not AuditEvent.objects.exists()
        assert not Notice.objects.exists()
        return
    with life.work(SYSTEM) as work:
        said = _columns(move)
        if move.event is not None and "reason" not in _may_say(move):
            said.pop("reason", None)
        work.move(work.lock(token.pk), move, **said)
    after = Token.objects.get(pk=token.pk)
    assert after.state == (move.leads_to or state)
    assert list(AuditEvent.objects.values_list("action", flat=True)) == (
        [move.event] if move.event else []
    )
    assert list(Notice.objects.values_list("kind", flat=True).distinct()) == (
        [move.notice] if move.notice else []
    )
    assert work.effects.changed == [token.pk]
    assert bool(work.effects.issue or work.effects.revoke) == move.enqueues


def _may_say(move: Move) -> frozenset[str]:
    return FIELDS[move.event].needs | FIELDS[move.event].may if move.event else frozenset()


@pytest.mark.django_db
def test_what_a_move_does_not_write_or_tell_is_a_mistake_of_the_code(
    make_token: Callable[..., Token], engineer: User
) -> None:
    token = make_token(engineer, state=State.ACTIVE)
    with pytest.raises(TypeError, match="owner"), life.work(SYSTEM) as work:
        work.move(work.lock(token.pk), moves.EXPIRE, owner=engineer)
    with pytest.raises(TypeError, match="may_exist_at_aws"), life.work(SYSTEM) as work:
        work.move(work.lock(token.pk), moves.REVOKED)
    token.refresh_from_db()
    assert token.state == State.ACTIVE


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("move", "instead"),
    [(move, move.withdrawn) for move in MADE_OF_A_ROW if move.withdrawn],
    ids=lambda move: move.name,
)
def test_what_was_withdrawn_while_aws_was_called_never_becomes_a_key(
    make_token: Callable[..., Token], engineer: User, move: Move, instead: Move
) -> None:
    token = _row(make_token, engineer, State.ISSUING)
    token.change(cancel_requested=True)
    with life.work(SYSTEM) as work:
        work.move(work.lock(token.pk), move, **{**_columns(move), "reason": ""})
    token.refresh_from_db()
    assert token.state == instead.leads_to
    assert token.sealed_key is None
    assert token.state in (State.CANCELLED, State.REVOKING)


# -- In docs/LIFE.md ------------------------------------------------------------------------------


def _as_table() -> list[str]:
    def said(states: tuple[State, ...]) -> str:
        return ", ".join(f"`{state}`" for state in states)

    return [
        f"| `{move.name}` | {said(move.starts) or 'a new row'} | "
        f"{f'`{move.leads_to}`' if move.leads_to else 'the same'} | "
        f"{f'`{move.event}`' if move.event else ''} | "
        f"{f'`{move.notice}`' if move.notice else ''} |"
        for move in MOVES
    ]


def test_the_document_lists_every_move_as_it_is_declared() -> None:
    text = DOCS.read_text()
    table = re.search(r"\| move \| from \|.*?\n\|[- |]+\n(.*?)\n\n", text, re.DOTALL)
    assert table is not None
    assert table[1].splitlines() == _as_table()
