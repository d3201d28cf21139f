"""The pages on which a person manages their second factors. Their addresses are django-allauth's.

allauth's own views write factors without an event, and codes that can be read again; the forms, the
ceremony of passkeys and the asking at the sign-in are allauth's (docs/decisions/0034).
"""

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.safestring import mark_safe
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from portal import factors, requester
from portal.flows import change_factor
from portal.flows.change_factor import Changed, StillNeededError
from portal.forms.second_factor import ActivateTOTPForm
from portal.tasks import follow_up
from portal.views.accounts import wanted_factor
from portal.views.accounts.step_up import stepped_up

NEW_CODES = "new_recovery_codes"
"""In a session: recovery codes that were just made, locked, until they are saved."""
CODES_ARE_SHOWN = 600
"""Seconds for which the page shows them again, so that a reload or a lost answer loses none."""


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """What the person has, and what they may add."""
    person = requester.person(request)
    rows = list(Authenticator.objects.filter(user_id=person.pk).order_by("created_at", "pk"))
    context = {
        "app": next((row for row in rows if row.type == factors.APP), None),
        "passkeys": [row for row in rows if row.type == factors.PASSKEY],
        "codes_left": factors.codes_left(person),
        "is_wanted": wanted_factor.is_wanted(person),
        "has_password": person.has_usable_password(),
    }
    return render(request, "mfa/index.html", context)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@stepped_up
def add_app(request: HttpRequest) -> HttpResponse:
    """Give an app its seed, and see that it shows the right codes."""
    person = requester.person(request)
    if not person.has_usable_password():
        return redirect("mfa_index")
    if _app_of(request) is not None:
        return redirect("mfa_deactivate_totp")
    is_sent = request.method == "POST"
    form = ActivateTOTPForm(request.POST if is_sent else None, user=person)
    if is_sent and form.is_valid():
        del request.session[SECRET_SESSION_KEY]
        actor, session = requester.actor(request), request.session.session_key
        changed = change_factor.add_app(
            person, form.secret, form.counter or 0, actor=actor, session=session
        )
        messages.success(
            request, "From now on you sign in with a code from your authenticator app."
        )
        return done(request, changed, proved="totp")
    url = get_adapter().build_totp_url(person, form.secret)
    picture = get_adapter().build_totp_svg(url).partition("?>")[2]
    context = {
        "form": form,
        "seed": form.secret,
        "url": url,
        "picture": mark_safe(picture),  # noqa: S308 (drawn by a library; nobody typed any of it)
    }
    return render(request, "mfa/totp/activate_form.html", context, status=422 if is_sent else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@stepped_up
def remove_app(request: HttpRequest) -> HttpResponse:
    """Ask for the app no more."""
    row = _app_of(request)
    if row is None:
        return redirect("mfa_activate_totp")
    return _remove(request, row)


@require_http_methods(["GET", "HEAD", "POST"])
@stepped_up
def remove_passkey(request: HttpRequest, pk: int) -> HttpResponse:
    """Take this passkey no more."""
    return _remove(request, passkey_of(request, pk))


def passkey_of(request: HttpRequest, pk: int) -> Authenticator:
    """One of the person's passkeys. Raises Http404."""
    rows = Authenticator.objects.filter(user_id=request.user.pk, type=factors.PASSKEY)
    row: Authenticator | None = rows.filter(pk=pk).first()
    if row is None:
        raise Http404
    return row


def _app_of(request: HttpRequest) -> Authenticator | None:
    rows = Authenticator.objects.filter(user_id=request.user.pk, type=factors.APP)
    row: Authenticator | None = rows.first()
    return row


def _remove(request: HttpRequest, row: Authenticator) -> HttpResponse:
    person = requester.person(request)
    status = 200
    if request.method == "POST":
        try:
            changed = change_factor.remove_factor(
                person,
                row.pk,
                actor=requester.actor(request),
                session=request.session.session_key,
            )
        except StillNeededError:
            status = 409
        except Authenticator.DoesNotExist:
            return redirect("mfa_index")
        else:
            messages.success(request, f"Removed: {factors.name_of(row)}.")
            return done(request, changed)
    context = {"what": factors.name_of(row), "needed": change_factor.why_needed(person, row)}
    return render(request, "mfa/remove.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def codes(request: HttpRequest) -> HttpResponse:
    """Recovery codes: those just made, to be saved; else only how many are left."""
    person = requester.person(request)
    if request.method == "POST":
        request.session.pop(NEW_CODES, None)
        return redirect(wanted_factor.is_added(request, person) or "mfa_index")
    if not factors.has_second_factor(person):
        raise Http404
    context = {"codes": _new_codes(request), "left": factors.codes_left(person)}
    return render(request, "mfa/recovery_codes/index.html", context)


@require_safe
def download_codes(request: HttpRequest) -> HttpResponse:
    """The codes that were just made, as a file."""
    found = _new_codes(request)
    if not found:
        raise Http404
    text = "".join(f"{code}\n" for code in found)
    response = HttpResponse(text, content_type="text/plain; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="recovery-codes.txt"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@stepped_up
def new_codes(request: HttpRequest) -> HttpResponse:
    """Make ten new codes; those before are good no more."""
    person = requester.person(request)
    if not factors.has_second_factor(person):
        return redirect("mfa_index")
    if request.method != "POST":
        context = {"left": factors.codes_left(person)}
        return render(request, "mfa/recovery_codes/generate.html", context)
    actor, session = requester.actor(request), request.session.session_key
    return done(request, change_factor.renew_codes(person, actor=actor, session=session))


def _new_codes(request: HttpRequest) -> list[str]:
    locked = request.session.get(NEW_CODES, "")
    return factors.open_codes(locked, within=CODES_ARE_SHOWN) if locked else []


def done(request: HttpRequest, changed: Changed, *, proved: str = "") -> HttpResponse:
    """Carry on in this session, the only one that is left, and show codes that were made.

    ``proved`` is the kind of a factor that was just used here: nobody is asked for it at once.
    """
    person = requester.person(request)
    follow_up(changed.effects)
    update_session_auth_hash(request, person)
    if proved:
        record_authentication(request, person, method="mfa", type=proved)
    if changed.codes:
        request.session[NEW_CODES] = factors.lock_codes(changed.codes)
        return redirect("mfa_view_recovery_codes")
    return redirect(wanted_factor.is_added(request, person) or "mfa_index")
