"""Whom an identity provider has proved comes in here, or is told why not. For every kind of it.

A view of a protocol makes an ``Identity`` and returns ``come_in(...)``; what is wrong with an
answer it raises as SignInError within ``told``.
"""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from allauth.account.internal.flows.login import (
    get_authentication_records,
    perform_login,
    record_authentication,
)
from allauth.account.models import Login
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.encoding import iri_to_uri

from portal import requester
from portal.audit import Actor
from portal.flows.admit import NO_LIST, admit
from portal.flows.sign_in import sign_in_failed
from portal.identity import Identity, SignInError
from portal.models import User
from portal.tasks import follow_up

METHOD = "single_sign_on"
"""How allauth's records of a session call it (``get_authentication_records``)."""
DOOR = "single_sign_on"
"""What stands in a session that has come by another way than OpenID Connect."""

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def told(view: View[P]) -> View[P]:
    """Answer what a view raises as SignInError with a page and an event; nobody comes in then."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except SignInError as error:
            return failed(request, error)

    return guarded


def failed(request: HttpRequest, error: SignInError) -> HttpResponse:
    """The page that says what has happened and what to do; ``signin.failed`` has the code."""
    sign_in_failed(
        error.email,
        address=requester.address(request),
        user_agent=requester.user_agent(request),
        code=error.code,
    )
    page = {
        "title": error.title,
        "message": str(error),
        "code": error.code,
        "groups": error.groups,
        "is_signed_in": request.user.is_authenticated,
    }
    response = render(request, "account/refused.html", page, status=error.status)
    if error.status == 503:
        response.headers["Retry-After"] = "60"
    return response


def come_in(request: HttpRequest, identity: Identity, *, next_url: str | None) -> HttpResponse:
    """Sign the proved person in, and send them to ``next_url``, if it is one of the portal's own.

    What their groups have changed holds already. Raises SignInError where nobody may come in.
    """
    address, user_agent = requester.address(request), requester.user_agent(request)
    admission = admit(identity, actor=Actor(address=address, user_agent=user_agent, unknown=True))
    follow_up(admission.effects)
    if admission.refusal is not None:
        raise admission.refusal
    person = admission.person
    assert person is not None  # noqa: S101 (there is no refusal)
    record_authentication(request, person, method=METHOD, provider=identity.provider)
    how = "single sign-on"
    if admission.has_no_list:
        how = f"{how}; {NO_LIST}"
        messages.warning(
            request,
            "Your company's sign-in sent no list of your groups, because there are too many. What "
            "you may do here is as it was before.",
        )
    login = Login(user=person, redirect_url=next_url, signal_kwargs={"how": how})
    response: HttpResponse = perform_login(request, login)
    return response


def has_come_by_it(request: HttpRequest) -> bool:
    """Whether this session began by single sign-on."""
    return any(record.get("method") == METHOD for record in records(request))


def note_saml(request: HttpRequest) -> None:
    """This session began by SAML: a fresh proof is to come from the same provider."""
    request.session[DOOR] = "saml"


def has_come_by_saml(request: HttpRequest) -> bool:
    return bool(request.session.get(DOOR) == "saml")


def records(request: HttpRequest) -> list[dict[str, object]]:
    """How and when the signed-in person has proved in this session that it is they."""
    if not isinstance(request.user, User):
        return []
    found: list[dict[str, object]] = get_authentication_records(request, request.user)
    return found


def send_on(request: HttpRequest, url: str, *, to: str) -> HttpResponse:
    """To the provider. A browser is sent by a page: what leads on from a form is held to the
    page's own ``form-action``, over every redirect that the provider adds (docs/decisions/0030)."""
    if request.headers.get("Sec-Fetch-Dest") != "document":
        return HttpResponseRedirect(url)
    response = render(request, "account/onward.html", {"url": url, "to": to})
    response.headers["Refresh"] = f"0; url={iri_to_uri(url)}"
    return response
