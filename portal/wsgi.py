"""The web process's entry point."""

import io
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.template.loader import get_template
from django.urls import reverse

from portal import traces

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")


def prepare_pages() -> None:
    """Before the workers fork, so that none of them makes its first person wait for it."""
    reverse("tokens")
    directory = settings.BASE_DIR / "templates"
    for page in directory.rglob("*.html"):
        get_template(str(page.relative_to(directory)))


class WholeBodies:
    """Gives a body that comes in chunks its length, as some proxies send them.

    Django reads as much as ``Content-Length`` says and no more, which for these is nothing: forms
    arrived empty. One that is too long is cut just beyond what Django takes, and so refused by it.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            body = environ["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1)
            environ |= {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        return self.application(environ, start_response)

    @staticmethod
    def begin() -> None:
        """In each worker once it is forked: threads don't survive that."""
        aws.keep_written()


traces.begin("web")  # before Django loads its middleware, for it adds one
application = WholeBodies(get_wsgi_application())

from portal.checks import exit_unless_sound  # noqa: E402 (there are models only now)
from portal.metrics import aws  # noqa: E402 (as above)

exit_unless_sound()
prepare_pages()
