"""What is known of the session at the provider, put by while a second factor is asked for here."""

from django.http import HttpRequest

from portal.flows.end_provider_sessions import keep_provider_session
from portal.models import User

KEY = "provider_session"


def put_by(request: HttpRequest, person: User, there: dict[str, str]) -> None:
    request.session[KEY] = [person.pk, there]


def keep(request: HttpRequest, person: User) -> None:
    """The person has come in: sign-outs of either side end both sessions from now on."""
    whose, there = request.session.pop(KEY, None) or (None, {})
    if whose == person.pk and request.session.session_key:
        keep_provider_session(request.session.session_key, person=person.pk, **there)
