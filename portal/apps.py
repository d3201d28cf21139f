"""The Django application, and what a start checks before it begins."""

from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate

from portal import appendonly, unwise
from portal.flows import begin


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Token portal"

    def ready(self) -> None:
        checks.register(appendonly.check, checks.Tags.database)
        checks.register(begin.check, checks.Tags.database)
        checks.register(unwise.check, checks.Tags.security, deploy=True)
        post_migrate.connect(appendonly.put_up, sender=self)
