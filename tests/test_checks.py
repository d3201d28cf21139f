"""What must hold before a process of the portal serves or moves anything."""

from pathlib import Path

import pytest
from pytest_django import Settings

from portal.checks import exit_unless_sound
from portal.models import User
from tests.product import run_python


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


def test_worker_and_scheduler_load_no_page(tmp_path: Path) -> None:
    """Pages are a third of a process's memory, and half of the time in which it starts."""
    done = run_python(
        "import portal.celery, django; django.setup();"
        "import portal.tasks, portal.scheduler, portal.management.commands.sweep as sweep, sys;"
        "print('portal.urls' in sys.modules, sweep.Command.requires_system_checks)",
        tmp_path,
        PORTAL_EMBEDDED="1",
    )
    assert done.stdout.split() == ["False", "()"], done.stderr
