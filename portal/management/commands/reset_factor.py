"""``manage.py reset_factor EMAIL``: where no admin is left who could do it in Django's admin."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from portal.audit import SYSTEM
from portal.flows.reset_factors import reset_factors
from portal.models import User
from portal.tasks import follow_up


class Command(BaseCommand):
    help = "Take away the second factors of a person who has lost them; a mail tells them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the person's address")

    def handle(self, *, email: str, **_: object) -> None:
        person = User.objects.by_address(email.strip())
        if person is None:
            raise CommandError(f"{email} is nobody's address here.")
        effects = reset_factors(person, actor=SYSTEM)
        if not effects.account_mail:
            raise CommandError(f"{person.email} has no second factor.")
        follow_up(effects)
        self.stdout.write(f"The second factors of {person.email} were reset.")
