"""The demo's own access follows the catalog until somebody says what access is to be."""

import pytest

from portal import access, audit
from portal.access import words
from portal.access.words import Change
from portal.audit import SYSTEM, Actor
from portal.embedded import demo
from portal.flows.apply_access import apply_access
from portal.models import Action, User, Workspace
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db

FILE = "version: 1\nteams: {platform: {members: [engineer@example.com]}}"


@pytest.fixture(autouse=True)
def applied(catalog: Catalog) -> None:
    apply_access(demo.access_file(), actor=SYSTEM)


def test_it_is_in_force_from_the_start_and_follows_the_catalog(catalog: Catalog) -> None:
    assert demo.is_in_force()
    Workspace.objects.create(
        connection=catalog.deployer.workspace.connection, aws_id="g-00000000f1", name="aaa"
    )
    assert apply_access(demo.access_file(), actor=SYSTEM).changes
    assert demo.is_in_force()


def test_a_file_that_somebody_applied_ends_that_until_the_next_start() -> None:
    assert apply_access(access.parse(FILE), actor=SYSTEM, sha256="0" * 64).changes
    assert not demo.is_in_force()
    apply_access(demo.access_file(), actor=SYSTEM)
    assert demo.is_in_force()


def test_so_does_an_admin() -> None:
    admin = User.objects.get(email="admin@example.com")
    said = [Change("~ person engineer@example.com: now auditor")]
    audit.record_many(Action.ACCESS_CHANGED, said, actor=Actor(user=admin), reason=words.BY_HAND)
    assert not demo.is_in_force()


def test_what_the_catalog_suspends_is_nobodys_wish() -> None:
    said = [Change("~ grant of platform for alpha / ci: suspended")]
    audit.record_many(
        Action.ACCESS_CHANGED, said, actor=SYSTEM, reason="ci is a different service account now."
    )
    assert demo.is_in_force()
