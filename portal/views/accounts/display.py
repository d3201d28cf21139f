"""A person chooses their theme and the zone of their times (see portal.display)."""

from collections.abc import Callable
from functools import cache
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal import moments, requester
from portal.display import COOKIE, THEMES, asked_by, chosen_by, known_person
from portal.models import User
from portal.text import shown

SECONDS = 400 * 86_400
"""A browser keeps no cookie longer (RFC 6265bis)."""
REGIONS = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)
FORMER = frozenset({"Asia/Calcutta", "Asia/Katmandu", "Asia/Rangoon", "Asia/Saigon", "Europe/Kiev"})
"""Names of zones whose cities are called otherwise today: taken, and not offered."""


class DisplayForm(forms.Form):
    """A theme and a zone; empty is what the system has, or the browser."""

    theme = forms.ChoiceField(
        required=False,
        choices=[("", "As the system has it"), ("light", "Light"), ("dark", "Dark")],
        error_messages={"invalid_choice": "Choose light, dark, or what the system has."},
    )
    chosen_zone = forms.CharField(required=False)

    def clean_chosen_zone(self) -> str:
        name: str = self.cleaned_data["chosen_zone"]
        try:
            moments.zone(name)
        except moments.UnknownZoneError:
            raise ValidationError(
                f"This portal knows no time zone “{shown(name[:64])}”. Choose one from the list."
            ) from None
        return name


@require_http_methods(["GET", "HEAD", "POST"])
def display(request: HttpRequest) -> HttpResponse:
    """The page; POST keeps the choice, of which later mails at an hour know, too."""
    person = requester.person(request)
    if request.method == "POST":
        form = DisplayForm(request.POST)
        if form.is_valid():
            _keep(person, **form.cleaned_data)
            messages.success(request, "Kept, for every browser that you sign in with.")
            return redirect("display")
    else:
        form = DisplayForm(initial={"theme": person.theme, "chosen_zone": person.chosen_zone})
    return render(
        request,
        "account/display.html",
        {"form": form, "zones": offered_zones()},
        status=422 if form.errors else 200,
    )


def _keep(person: User, *, theme: str, chosen_zone: str) -> None:
    person.theme, person.chosen_zone = theme, chosen_zone
    fields = ["theme", "chosen_zone"]
    if chosen_zone:
        person.time_zone = chosen_zone
        fields.append("time_zone")
    person.save(update_fields=fields)


@cache
def offered_zones() -> tuple[str, ...]:
    """As this machine has them, by name."""
    known = available_timezones() - FORMER
    return ("UTC", *sorted(name for name in known if name.startswith(REGIONS)))


class DisplayMiddleware:
    """Has times written for whoever asks, and keeps their theme in their browser for pages that do
    not know them."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with asked_by(request):
            response = self.get_response(request)
        if known_person(request) is None:
            return response
        theme = chosen_by(request).theme
        if theme == request.COOKIES.get(COOKIE, ""):
            return response
        if theme in THEMES:
            response.set_cookie(
                COOKIE,
                theme,
                max_age=SECONDS,
                secure=settings.HTTPS,
                httponly=True,
                samesite="Lax",
            )
        else:
            response.delete_cookie(COOKIE, samesite="Lax")
            response.cookies[COOKIE]["secure"] = settings.HTTPS  # or browsers refuse the prefix
        return response
