"""The Django application, and what a start checks before it begins."""

from django.apps import AppConfig
from django.core import checks
from django.db.models.signals import post_migrate, pre_migrate

from portal import appendonly, starting, unwise


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Token portal"

    def ready(self) -> None:
        checks.register(appendonly.check, checks.Tags.database)
        checks.register(starting.check, checks.Tags.database)
        checks.register(unwise.check, checks.Tags.security, deploy=True)
        pre_migrate.connect(appendonly.take_down, sender=self)
        post_migrate.connect(appendonly.put_up, sender=self)
