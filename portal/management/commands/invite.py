"""Print a link by which a person sets their password."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.urls import reverse

from portal.audit import SYSTEM
from portal.flows.invite import InvitationError, invite


class Command(BaseCommand):
    help = (
        "Prints a link by which a person sets their password: good once, and for a day. Give it to "
        "nobody else."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="of a person whom the access file or an admin has named")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            secret = invite(options["email"], actor=SYSTEM)
        except InvitationError as error:
            raise CommandError(str(error)) from None
        path = reverse("invitation", kwargs={"secret": secret})
        self.stdout.write(f"{settings.PORTAL_ORIGIN}{path}")
