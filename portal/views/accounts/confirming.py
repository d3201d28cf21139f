"""What the pages share on which a person proves again that it is they."""

from typing import Any

from django.http import HttpRequest, HttpResponse

from portal.models import ProviderSession


class Confirming:
    """A session that was confirmed gets a new key: whoever has read the old one gains nothing."""

    request: HttpRequest

    def form_valid(self, form: Any) -> HttpResponse:
        session = self.request.session
        before = session.session_key
        session.cycle_key()
        # The provider ends sessions by its own; which of ours came from it must stay known.
        ProviderSession.objects.filter(session_key=before).update(session_key=session.session_key)
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        return response
