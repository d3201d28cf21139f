"""Whether a person has shown lately who they are: asked before their factors are changed."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec
from urllib.parse import urlencode

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from portal import requester

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def is_fresh(request: HttpRequest) -> bool:
    """Whether the person of this session signed in, or confirmed who they are, within
    PORTAL_STEP_UP_SECONDS: by password, second factor or passkey."""
    records = get_authentication_records(request, requester.person(request))
    if not records:
        return False
    ago = time.time() - float(records[-1]["at"])
    return 0 <= ago < settings.SIGN_IN.step_up_seconds


def wants_fresh_sign_in(view: View[P]) -> View[P]:
    """Mark a page that changes how a person signs in: a session that was left open is no proof."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if is_fresh(request):
            return view(request, *args, **kwargs)
        way = urlencode({"next": request.get_full_path()})
        return redirect(f"{reverse('account_reauthenticate')}?{way}")

    return guarded
