"""What was alive at a moment, as parts of pages."""

from typing import Any

from portal.forms.audit import AuditFilterForm
from portal.reading.as_of import Held, alive

MOST_SHOWN = 500
"""Tokens on the log's page; the page to print and the export have all."""


def held(form: AuditFilterForm) -> list[Held]:
    """What a valid form with a moment asks for."""
    wanted = form.wanted
    return alive(wanted.as_of, wanted) if wanted.as_of else []


def context(form: AuditFilterForm, most: int | None = MOST_SHOWN) -> dict[str, Any]:
    """For a template: the first of them, and how many there are."""
    found = held(form)
    return {
        "form": form,
        "query": form.query,
        "as_of": form.wanted.as_of,
        "held": found[:most],
        "held_count": len(found),
    }
