"""The life of a token: its moves, written once, and the unit of work that carries them out.

portal.life.moves says what may happen to a token, portal.life.work how it is done. docs/LIFE.md
walks through it.
"""

from portal.life import moves
from portal.life.claim import claim
from portal.life.effects import Effects
from portal.life.move import WrongStateError
from portal.life.work import Work, work, work_on_each

__all__ = ["Effects", "Work", "WrongStateError", "claim", "moves", "work", "work_on_each"]
