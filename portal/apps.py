"""The Django application, and what a start checks before it begins."""

from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = "Grafana tokens"
