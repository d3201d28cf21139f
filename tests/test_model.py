"""The model that spin checks has the states and the moves of the code, and no others."""

import re

from portal.life.moves import MOVES
from portal.models import State
from tests.model import BREAKS, MODEL

TEXT = MODEL.read_text()
INLINE = re.compile(r"inline move_(\w+)\(\) \{(.*?)\}", re.DOTALL)


def states_in(text: str) -> set[str]:
    return {name.lower() for name in re.findall(r"state == (\w+)", text)} - {"none"}


def test_the_model_has_the_states_of_the_code() -> None:
    words = re.search(r"mtype = \{(.*?)\}", TEXT, re.DOTALL)
    assert words is not None
    assert {word.strip().lower() for word in words[1].split(",")} == {*State, "none"}


def test_the_model_has_the_moves_of_the_code_from_the_same_states_to_the_same() -> None:
    model = {}
    for name, body in INLINE.findall(TEXT):
        leads_to = re.search(r"state = (\w+)", body)
        # A break says its move twice; the first is the broken one.
        model[name] = (states_in(body), leads_to[1].lower() if leads_to else None)
    code = {move.name: ({*move.starts}, move.leads_to) for move in MOVES}
    assert model == code


def test_every_move_of_the_model_is_made_by_somebody() -> None:
    rest = INLINE.sub("", TEXT)
    assert [move.name for move in MOVES if f"move_{move.name}()" not in rest] == []


def test_each_step_that_can_be_taken_away_is_a_switch_of_the_model() -> None:
    switches = set(re.findall(r"#if(?:n?)def (\w+)", TEXT))
    assert switches == {*BREAKS, "ATTEMPTS", "CRASHES", "FAULTS"}
