"""An access file, pasted or dropped: its plan with everything that it ends, and its application."""

import base64
import hashlib
import time
import zlib
from typing import NamedTuple

from django.contrib import messages
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal import access, gateway, policy, requester
from portal.access import AccessFileError, Problem, words
from portal.access.bounds import LONGEST_FILE
from portal.access.entries import Place
from portal.catalog import read_brought
from portal.flows.apply_access import Plan, PlanChangedError, apply_access
from portal.limits import table
from portal.tasks import end_lost_access
from portal.views.accounts.step_up import require_step_up
from portal.views.limiting import limited
from portal.views.way_back import posted_from

MOST_SHOWN = 500
"""Lines of each kind on the page; of more it says how many there are."""
PLANNED_FOR = 3600
"""Seconds for which a plan may be looked at before it is applied."""
LONGEST_READING = 20.0
"""Seconds after which AWS is asked no more about connections that the file brings."""
_SALT = "access.plan"


class Planned(NamedTuple):
    """What somebody has seen the plan of."""

    text: str
    digest: str

    def sealed(self, request: HttpRequest) -> str:
        """For the form that applies it: nobody else's, and no other file's."""
        packed = base64.b85encode(zlib.compress(self.text.encode())).decode()
        return signing.dumps(
            [requester.person(request).pk, packed, self.digest], salt=_SALT, compress=False
        )

    @classmethod
    def opened(cls, request: HttpRequest) -> "Planned | None":
        """None for one that is too old, somebody else's, or none at all."""
        try:
            whose, packed, digest = signing.loads(
                request.POST.get("plan", ""), salt=_SALT, max_age=PLANNED_FOR
            )
        except signing.BadSignature:
            return None
        if whose != requester.person(request).pk:
            return None
        return cls(zlib.decompress(base64.b85decode(packed)).decode(), digest)


@limited(table.PLANS)
def plan(request: HttpRequest) -> HttpResponse:
    """GET: where to paste. POST ``file``: the plan; nothing changes. 422 for a wrong file."""
    _admins_only(request)
    if request.method != "POST":
        return render(request, "access/plan.html", {})
    try:
        text = _text(request)
        made = _apply(text, request)
    except AccessFileError as error:
        return _wrong(request, request.POST.get("file", ""), error)
    return _show(request, text, made)


@posted_from("access-plan")
@limited(table.PLANS)
def apply(request: HttpRequest) -> HttpResponse:
    """POST ``plan``, as the plan's page has it: it is done, if it is still that plan."""
    _admins_only(request)
    planned = Planned.opened(request)
    if planned is None:
        problem = "the plan is no longer known: paste the file again"
        return _wrong(request, "", AccessFileError([Problem(Place("the plan"), problem)]))
    require_step_up(request)
    try:
        done = _apply(planned.text, request, agreed=planned.digest)
    except AccessFileError as error:
        return _wrong(request, planned.text, error)
    except PlanChangedError as changed:
        return _show(request, planned.text, changed.plan, status=409)
    end_lost_access(requester.actor(request))
    count = len(done.changes)
    messages.success(
        request,
        f"Applied: {count} change{'' if count == 1 else 's'}. The audit log has each of them."
        if count
        else "Nothing had to change.",
    )
    return redirect("access")


def _admins_only(request: HttpRequest) -> None:
    if not policy.may_change_access(requester.person(request)):
        raise PermissionDenied("Only admins can change access.")


def _text(request: HttpRequest) -> str:
    """What was pasted, or the file that was sent. Raises AccessFileError."""
    sent = request.FILES.get("file")
    if sent is not None:
        try:
            return bytes(sent.read()).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise AccessFileError([Problem(Place("the file"), "this is no text")]) from None
    text = str(request.POST.get("file", ""))
    if not text.strip():
        raise AccessFileError([Problem(Place("the file", 1, 1), "there is nothing in it")])
    return text.replace("\r\n", "\n")


def _apply(text: str, request: HttpRequest, *, agreed: str | None = None) -> Plan:
    file = access.parse(text)
    brought = read_brought(file.connections, until=time.monotonic() + LONGEST_READING)
    if brought:
        gateway.note_heard()
    return apply_access(
        file,
        actor=requester.actor(request),
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        dry_run=agreed is None,
        brought=brought,
        agreed=agreed,
    )


def _show(request: HttpRequest, text: str, made: Plan, *, status: int = 200) -> HttpResponse:
    lost = [(one, words.token("x", one)) for one in made.ends]
    left = [(one, words.token("!", one)) for one in made.left]
    people = {one.owner.email for one in (*made.ends, *made.left)}
    context = {
        "has_changed": status == 409,
        "changes": made.lines[:MOST_SHOWN],
        "changes_count": len(made.changes),
        "ends": lost[:MOST_SHOWN],
        "ends_count": len(lost),
        "left": left[:MOST_SHOWN],
        "left_count": len(left),
        "people": sorted(people)[:MOST_SHOWN],
        "warnings": [str(one) for one in made.warnings[:MOST_SHOWN]],
        "text": text,
        "plan": Planned(text, made.digest).sealed(request),
    }
    return render(request, "access/planned.html", context, status=status)


def _wrong(request: HttpRequest, text: str, error: AccessFileError) -> HttpResponse:
    """422: every mistake with its place, and what was pasted stands there still."""
    context = {"text": text[:LONGEST_FILE], "problems": [str(one) for one in error.problems]}
    return render(request, "access/plan.html", context, status=422)
