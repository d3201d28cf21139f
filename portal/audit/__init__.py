"""The audit log: the closed set of events, its only writer, its chain and the chain's verification.

Call ``record`` inside the transaction that does what it tells of: if the event can't be written,
the action does not happen.
"""

from portal.audit.recording import SYSTEM, Actor, append, compose, record, record_many

__all__ = ["SYSTEM", "Actor", "append", "compose", "record", "record_many"]
