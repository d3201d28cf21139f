"""Find by key: whose token a leaked key is. The browser sends its SHA-256, never the key."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from portal import policy, requester
from portal.flows.find_key import tell_of_found_key
from portal.limits import table
from portal.models import Token
from portal.tasks import follow_up
from portal.views.limiting import limited

SHA256 = re.compile(r"[0-9a-f]{64}")


class FingerprintForm(forms.Form):
    """What the browser makes of a pasted key."""

    fingerprint = forms.CharField(
        max_length=200,
        error_messages={
            "required": "Your browser sent no fingerprint. Allow JavaScript, paste the key and try "
            "again."
        },
    )

    def clean_fingerprint(self) -> str:
        fingerprint: str = self.cleaned_data["fingerprint"]
        if not SHA256.fullmatch(fingerprint):
            raise ValidationError("This is no SHA-256 in lower-case hex. Reload the page.")
        return fingerprint


@require_http_methods(["GET", "HEAD", "POST"])
@limited(table.FINDS)
def find(request: HttpRequest) -> HttpResponse:
    """The token that a key belongs to, for whoever may see it; others learn that those whose it is
    have been told, and anybody that no token has it."""
    user = requester.person(request)
    if request.method != "POST":
        return render(request, "audit/find.html", {"form": FingerprintForm()})
    form = FingerprintForm(request.POST)
    if not form.is_valid():
        return render(request, "audit/find.html", {"form": form}, status=422)
    token = Token.objects.for_pages().filter(fingerprint=form.cleaned_data["fingerprint"]).first()
    context: dict[str, Any] = {"form": form, "is_answer": True, "token": token}
    if token is not None and not policy.may_see(user, token):
        follow_up(tell_of_found_key(token.pk, actor=requester.actor(request)))
        context |= {"token": None, "is_told": True}
    elif token is not None:
        context["may_revoke"] = policy.may_revoke(user, token)
        context["is_revocable"] = policy.is_revocable(token)
        context["leads"] = [lead.email for lead in policy.responsible_for(token.team)]
    return render(request, "audit/find.html", context)
