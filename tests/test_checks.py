"""What must hold before a process of the portal serves or moves anything."""

import pytest
from pytest_django import Settings

from portal.checks import exit_unless_sound
from portal.models import User


@pytest.mark.django_db(transaction=True)
def test_production_does_not_start_with_demo_people(settings: Settings) -> None:
    demo = User.objects.create_user("admin@example.com", "known", is_admin=True, is_demo=True)
    exit_unless_sound()
    settings.EMBEDDED = False
    with pytest.raises(SystemExit, match=r"portal: .* demo people \(admin@example\.com\)"):
        exit_unless_sound()
    demo.is_active = False
    demo.save()
    exit_unless_sound()
