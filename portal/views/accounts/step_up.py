"""Step-up: what is dangerous wants a fresh proof that it is still the person (docs/SIGN_IN.md).

A view calls ``require_step_up`` once it knows that the person may do it, and before anything
happens; portal.middleware.StepUpMiddleware answers.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from allauth.account.internal.flows.login import record_authentication
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase

from portal import factors, requester
from portal.identity import SignInError, bound, openid
from portal.identity.openid import Proof
from portal.models import ServiceAccount, User
from portal.views.accounts.arrival import METHOD, records

CONFIRMED = "confirmed"
"""What stands in a record of single sign-on that the provider was asked for with prompt=login."""

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


class StepUpRequiredError(Exception):
    """Nothing has happened: a fresh proof is wanted first."""


def require_step_up(request: HttpRequest) -> None:
    """Raises StepUpRequiredError unless the person has lately proved that it is they."""
    if not is_fresh(request):
        raise StepUpRequiredError


def require_step_up_for(request: HttpRequest, account: ServiceAccount) -> None:
    """The same before a key of this account is made, if its keys may do anything."""
    if account.grafana_role == "ADMIN":
        require_step_up(request)


def stepped_up(view: View[P]) -> View[P]:
    """Mark a view that wants a step-up for whatever it does."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        require_step_up(request)
        return view(request, *args, **kwargs)

    return guarded


def is_fresh(request: HttpRequest) -> bool:
    """Whether a sign-in, a second factor or the provider has proved it within the time.

    Asks the session, and only of somebody who has proved something lately whether that is enough.
    """
    since = time.time() - settings.STEP_UP_SECONDS
    proved = {_proved(record) for record in records(request) if _at(record) >= since} - {""}
    if proved == {"password"}:
        return not factors.has_second_factor(requester.person(request))
    return bool(proved)


def _proved(record: dict[str, Any]) -> str:
    """What a record is a proof of; empty for a sign-in by the provider that nobody was asked for:
    it may be days since they typed anything there."""
    method = str(record.get("method"))
    if method == METHOD:
        return method if record.get(CONFIRMED) is True else ""
    return method if method in ("password", "mfa") else ""


def _at(record: dict[str, Any]) -> float:
    at = record.get("at")
    return float(at) if isinstance(at, int | float) else 0.0


def confirm_by_provider(request: HttpRequest, proof: Proof, *, way: str) -> HttpResponse:
    """The provider has asked the signed-in person again. Raises SignInError unless it was they."""
    at = openid.require_fresh(proof, settings.STEP_UP_SECONDS)
    if not isinstance(request.user, User):
        raise SignInError(
            "signed_out",
            "You were signed out here meanwhile, so there is nothing to confirm. Sign in again.",
            status=403,
        )
    if bound(proof.identity) != request.user:
        raise SignInError(
            "another_person",
            f"You are signed in here as {request.user.email}, and proved there that you are "
            "somebody else. Sign out here first, or choose the same account there.",
            status=403,
            title="That is another account",
            email=request.user.email,
        )
    record_authentication(
        request,
        request.user,
        method=METHOD,
        provider=proof.identity.provider,
        at=at,
        confirmed=True,
    )
    return HttpResponseRedirect(way or settings.LOGIN_REDIRECT_URL)
