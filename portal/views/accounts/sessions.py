"""The page that lists a person's own sessions, and ends one or all others."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal import requester, sessions
from portal.flows.close_sessions import close_other_sessions, close_session
from portal.models import UserSession
from portal.views.way_back import posted_from

MOST_SHOWN = 100
LONGEST_NUMBER = 18
"""Digits: what the databases' columns hold."""


@require_http_methods(["GET", "HEAD", "POST"])
def own_sessions(request: HttpRequest) -> HttpResponse:
    """The list; POST ends all but this one."""
    person, here = requester.person(request), request.session.session_key
    if request.method == "POST":
        ended = close_other_sessions(person, actor=requester.actor(request), session=here)
        messages.success(request, _said(ended))
        return redirect("sessions")
    rows = list(sessions.shown_to(person)[:MOST_SHOWN])
    context = {
        "current": next((row for row in rows if row.session_key == here), None),
        "others": [row for row in rows if row.session_key != here],
    }
    return render(request, "account/sessions.html", context)


@posted_from("sessions")
def end_session(request: HttpRequest) -> HttpResponse:
    """End the one whose number is posted as ``session``; another person's has none here."""
    person, typed = requester.person(request), request.POST.get("session", "")
    pk = int(typed) if typed.isascii() and typed.isdigit() and len(typed) <= LONGEST_NUMBER else 0
    here = request.session.session_key
    if UserSession.objects.filter(person=person, pk=pk, session_key=here).exists():
        return redirect("account_logout")
    ended = close_session(person, pk, actor=requester.actor(request))
    messages.success(request, _said(ended))
    return redirect("sessions")


def _said(ended: int) -> str:
    if not ended:
        return "There was no other session to end."
    return "One session was ended." if ended == 1 else f"{ended} sessions were ended."
