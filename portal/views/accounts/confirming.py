"""What the pages share on which a person proves again that it is they."""

from typing import Any

from django.http import HttpRequest, HttpResponse


class Confirming:
    """A session that was confirmed gets a new key: whoever has read the old one gains nothing."""

    request: HttpRequest

    def form_valid(self, form: Any) -> HttpResponse:
        self.request.session.cycle_key()
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]  # of allauth's view
        return response
