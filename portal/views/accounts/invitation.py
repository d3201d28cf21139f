"""The page behind an invitation's link: a person sets their password, and can sign in."""

from allauth.account.forms import ResetPasswordKeyForm
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from portal import requester
from portal.flows.invite import accept, invited
from portal.tasks import follow_up


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponse:
    """Looking changes nothing; a link that is no longer good answers 410."""
    user = invited(secret)
    if user is None:
        return _over(request)
    is_sent = request.method == "POST"
    form = ResetPasswordKeyForm(request.POST if is_sent else None, user=user)
    if not form.is_valid():
        status = 422 if is_sent else 200
        return _without_referrer(
            render(
                request,
                "account/invitation.html",
                {"form": form, "email": user.email},
                status=status,
            )
        )
    effects = accept(
        secret,
        form.cleaned_data["password1"],
        address=requester.address(request),
        user_agent=requester.user_agent(request),
    )
    if effects is None:
        return _over(request)
    follow_up(effects)
    if request.user.is_authenticated:
        logout(request)
    messages.success(request, f"Your password is set. Sign in as {user.email}.")
    return redirect("account_login")


def _over(request: HttpRequest) -> HttpResponse:
    message = (
        "It was used already, or its day is over. Ask an operator of this portal for another one: "
        "each is good once, and for a day."
    )
    page = {"title": "This invitation no longer works", "message": message}
    return render(request, "error.html", page, status=410)


def _without_referrer(response: HttpResponse) -> HttpResponse:
    """The address is the secret: what the page loads need not be told it."""
    response.headers["Referrer-Policy"] = "strict-origin"
    return response
