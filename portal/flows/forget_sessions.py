"""Forgets what was shown of sessions that are over."""

from portal import sessions


def forget_sessions() -> None:
    """Delete the rows whose session has run out or was deleted."""
    sessions.forget_over()
