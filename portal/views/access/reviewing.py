"""A review of access: as a file, as a page to print, and that somebody has reviewed it."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from portal import requester
from portal.access import review
from portal.access.review import Line
from portal.access.seen import Narrowed, Scope
from portal.flows.review_access import Reviewed, export_review, review_access
from portal.forms.fields import ReasonField
from portal.limits import table
from portal.models import Token
from portal.views.accounts.step_up import stepped_up
from portal.views.audit.log import auditors_only
from portal.views.limiting import limited
from portal.views.spreadsheet import lines

MOST_TOKENS = 2000
"""Tokens on the page to print; the file has all."""
MOST_CHANGES = 200
SEEN_FOR = 86_400
"""Seconds for which somebody may read what they say that they have reviewed."""
_SALT = "access.review"


class NoteForm(forms.Form):
    """What somebody says about what they have reviewed."""

    note = ReasonField(required_message="Say what you looked at, or what follows from it.")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Everything that a review reviews, as it is now."""

    access: list[Line]
    """Rights, people and grants."""
    tokens: list[Line]

    @classmethod
    def read(cls, request: HttpRequest) -> "Sheet":
        everything = Narrowed(Scope.of(requester.person(request)))
        access = [
            *review.rights(),
            *review.members(everything),
            *review.grants(everything),
        ]
        return cls(access, list(review.tokens(everything)))

    @property
    def file(self) -> list[bytes]:
        return list(lines(review.HEADING, map(review.cells, [*self.access, *self.tokens])))

    @property
    def sha256(self) -> str:
        """SHA-256 of the file."""
        found = hashlib.sha256()
        for part in self.file:
            found.update(part)
        return found.hexdigest()

    @property
    def size(self) -> int:
        return len(self.access) + len(self.tokens)


@require_safe
@auditors_only
@stepped_up
@limited(table.EXPORTS, ("GET",))
def as_csv(request: HttpRequest) -> HttpResponseBase:
    """The review's file: its SHA-256 is what the event of a review names."""
    sheet = Sheet.read(request)
    if request.method == "GET":
        export_review(sheet.size, actor=requester.actor(request))
    return StreamingHttpResponse(
        iter(sheet.file),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="access-review.csv"'},
    )


@auditors_only
def page(request: HttpRequest) -> HttpResponse:
    """GET: the page to print. POST ``note``: it was reviewed; ``seen`` says what was shown."""
    if request.method in ("GET", "HEAD"):
        return _show(request, Sheet.read(request), NoteForm())
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    form, sheet = NoteForm(request.POST), Sheet.read(request)
    if not form.is_valid():
        return _show(request, sheet, form, status=422)
    access = ""
    if "seen" not in request.POST:
        reviewed = Reviewed(sheet.sha256, sheet.size, Token.objects.database_now())
    else:
        try:
            digest, count, at, access = signing.loads(
                request.POST["seen"], salt=_SALT, max_age=SEEN_FOR
            )
            reviewed = Reviewed(digest, count, datetime.fromisoformat(at))
        except (signing.BadSignature, ValueError):
            access = "too old"
    if access and access != review.digest_of_access(iter(sheet.access)):
        return _show(request, sheet, form, status=409)
    review_access(reviewed, actor=requester.actor(request), note=form.cleaned_data["note"])
    messages.success(request, "Reviewed. The audit log says by whom, when, and what was shown.")
    return redirect("access-review")


def _show(request: HttpRequest, sheet: Sheet, form: NoteForm, *, status: int = 200) -> HttpResponse:
    at = Token.objects.database_now()
    since = review.since_last_review()
    digest = sheet.sha256
    shown = [digest, sheet.size, at.isoformat(), review.digest_of_access(iter(sheet.access))]
    by_kind: dict[str, list[Line]] = {kind: [] for kind in ("right", "member", "grant")}
    for line in sheet.access:
        by_kind[line["kind"]].append(line)
    context: dict[str, Any] = {
        "form": form,
        "has_changed": status == 409,
        "at": at,
        "digest": digest,
        "count": sheet.size,
        "seen": signing.dumps(shown, salt=_SALT),
        "rights": by_kind["right"],
        "members": by_kind["member"],
        "grants": by_kind["grant"],
        "tokens": sheet.tokens[:MOST_TOKENS],
        "tokens_count": len(sheet.tokens),
        "unused": sum(line.get("used_in_90_days") == "no" for line in sheet.access),
        "since": since,
        "changes": since.changes[:MOST_CHANGES],
        "changes_count": since.changes.order_by()[: review.MOST_COUNTED].count(),
    }
    return render(request, "access/review.html", context, status=status)
