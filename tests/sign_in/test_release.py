"""An account that was made anew at the provider: an admin lets go of the old one."""

from collections.abc import Callable

import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.exceptions import PermissionDenied
from django.test import Client

from portal.flows.release_identity import release_identity
from portal.models import AuditEvent, User
from tests.conftest import acting
from tests.identity_provider import ErringProvider
from tests.sign_in.conftest import Browser

pytestmark = pytest.mark.django_db


def test_a_released_person_is_bound_anew_by_the_verified_address(
    browser: Browser,
    provider: ErringProvider,
    engineer: User,
    admin: User,
    sign_in: Callable[[User], Client],
) -> None:
    provider.person(engineer.email)
    browser.sign_in(engineer.email)
    provider.token_claims = {"sub": "made-anew"}
    assert Browser().sign_in(engineer.email).status_code == 403

    chosen = {"action": "release_identity", "_selected_action": [engineer.pk, admin.pk]}
    told = sign_in(admin).post("/admin/portal/user/", chosen, follow=True)
    assert "1 of 2 were bound" in told.content.decode()
    assert Browser().sign_in(engineer.email).status_code == 302
    assert SocialAccount.objects.get(user=engineer).uid == "made-anew"
    event = AuditEvent.objects.get(action="access.changed")
    assert (event.actor, event.subject, event.reason) == (
        admin.email,
        "~ person engineer@example.com: released from single sign-on",
        "Django's admin",
    )


def test_nobody_but_an_admin_releases(engineer: User, lead: User) -> None:
    with pytest.raises(PermissionDenied):
        release_identity([engineer.pk], actor=acting(lead))
