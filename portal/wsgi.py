"""The web process's entry point."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.template.loader import get_template
from django.urls import reverse

from portal.flows.begin import begin

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")


def prepare_pages() -> None:
    """Before the workers fork, so that none of them makes its first person wait for it."""
    reverse("tokens")
    directory = settings.BASE_DIR / "templates"
    for page in directory.rglob("*.html"):
        get_template(str(page.relative_to(directory)))


application = get_wsgi_application()
begin()
prepare_pages()
