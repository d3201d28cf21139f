"""Pages of passkeys: adding one, naming it, signing in by it. The ceremony is django-allauth's."""

from typing import Any

from allauth.mfa.base.views import AuthenticateView, ReauthenticateView
from allauth.mfa.webauthn.internal.auth import begin_registration
from allauth.mfa.webauthn.views import LoginWebAuthnView, ReauthenticateWebAuthnView
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal import factors, requester
from portal.flows import change_factor
from portal.forms.passkeys import AddWebAuthnForm, EditWebAuthnForm
from portal.views.accounts.confirming import Confirming
from portal.views.accounts.factor_adapter import relying_party
from portal.views.accounts.factors import done, passkey_of
from portal.views.accounts.step_up import stepped_up


@require_http_methods(["GET", "HEAD", "POST"])
@stepped_up
def add_passkey(request: HttpRequest) -> HttpResponse:
    """Take a passkey that the browser or a device has made."""
    person = requester.person(request)
    if not person.has_usable_password():
        return redirect("mfa_index")
    is_sent = request.method == "POST"
    form = AddWebAuthnForm(request.POST if is_sent else None, user=person)
    if is_sent and form.is_valid():
        changed = change_factor.add_passkey(
            person,
            form.cleaned_data["name"],
            form.cleaned_data["credential"],
            actor=requester.actor(request),
            session=request.session.session_key,
        )
        messages.success(request, f"Added: the passkey “{form.cleaned_data['name']}”.")
        return done(request, changed, proved="webauthn")
    context = {
        "form": form,
        "options": begin_registration(person, passwordless=True),
        "host": relying_party(),
    }
    return render(request, "mfa/webauthn/add_form.html", context, status=422 if is_sent else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@stepped_up
def name_passkey(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a passkey another name."""
    row = passkey_of(request, pk)
    is_sent = request.method == "POST"
    before = {"name": row.data.get("name", "")}
    form = EditWebAuthnForm(request.POST if is_sent else None, initial=before)
    if is_sent and form.is_valid():
        row.data["name"] = form.cleaned_data["name"]
        row.save(update_fields=["data"])
        return redirect("mfa_index")
    context = {"form": form, "what": factors.name_of(row)}
    return render(request, "mfa/webauthn/edit_form.html", context, status=422 if is_sent else 200)


class _Asking:
    """What the pages share that ask for a factor: 422 where it was wrong, and the host's name."""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found: dict[str, Any] = super().get_context_data(**kwargs)  # type: ignore[misc]  # of allauth's view
        found["host"] = relying_party()
        return found


class AskForFactorView(_Asking, AuthenticateView):
    """After the password."""

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 422
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        found = super().get_context_data(**kwargs)
        person = self.stage.login.user
        rows = factors.kinds(person)
        return found | {"has_passkey": factors.PASSKEY in rows, "has_app": factors.APP in rows}


class ConfirmByCodeView(Confirming, ReauthenticateView):
    """Before something that wants a fresh proof: by a code."""

    def form_invalid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 422
        return response


class ConfirmByPasskeyView(_Asking, Confirming, ReauthenticateWebAuthnView):
    """The same, by a passkey."""

    def form_invalid(self, form: Any) -> HttpResponse:
        for message in form.errors.get("credential", []):
            messages.error(self.request, message)
        return redirect(self.request.get_full_path())


authenticate = login_not_required(AskForFactorView.as_view())
reauthenticate = ConfirmByCodeView.as_view()
reauthenticate_by_passkey = ConfirmByPasskeyView.as_view()
sign_in_by_passkey = login_not_required(LoginWebAuthnView.as_view())
