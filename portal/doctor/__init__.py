"""Tries everything that the portal depends on, and says in words what is missing.

Nothing is changed anywhere. Each check has its own time, all run at once, and what takes longer is
told like any other fault: an operator at night waits a minute at most.
"""

from portal.doctor.report import Finding, State, examine

__all__ = ["Finding", "State", "examine"]
