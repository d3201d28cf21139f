"""What takes too long for every test run: ``make chaos``."""

import os

import django

from tests import environment

# The runs here are plain programs that use the tests' parts: what pytest does for those is done so.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()

__all__ = ["environment"]
