"""An installation of the version before is rolled to this one while both serve: nothing is lost.

Each in its place: work that was under way, sessions, events, messages, settings, the access file.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.person import KeyPair, Person
from tests.product import ROOT
from tests.upgrade.installation import BEFORE, SET_PASSWORDS, Installation, commit_tree

EDITOR = {"workspace": "g-1a2b3c4d5e", "seconds_to_live": "86400"}
NOTICE_IS_OVER = """
from django.db.models.functions import Now
from portal.models import Token
assert Token.objects.filter(pk="{}").update(revoke_at=Now(), notice_ends_at=Now()) == 1
"""


@dataclass
class Work:
    """What was under way when the upgrade began, by its token's id."""

    keys: KeyPair = field(default_factory=KeyPair)
    active: str = ""
    sealed: str = ""
    queued: str = ""
    unapproved: str = ""
    approved: str = ""
    revoked: str = ""


@pytest.fixture(scope="module")
def old_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return commit_tree(BEFORE, tmp_path_factory.mktemp("before"))


@pytest.fixture(scope="module")
def installation(old_tree: Path) -> Iterator[Installation]:
    with Installation() as installation:
        installation.manage(old_tree, "migrate", "--no-input", "-v", "0")
        installation.apply_access_of_before(old_tree)
        installation.manage(old_tree, "shell", "-c", SET_PASSWORDS)
        yield installation


def account(installation: Installation, role: str) -> str:
    [(found,)] = installation.rows(
        "SELECT a.aws_id FROM portal_serviceaccount a JOIN portal_workspace w "
        "ON w.id = a.workspace_id WHERE w.aws_id = %s AND grafana_role = %s AND NOT is_disabled "
        "ORDER BY a.id LIMIT 1",
        EDITOR["workspace"],
        role,
    )
    return str(found)


def ask(installation: Installation, person: Person, work: Work, name: str, role: str) -> str:
    wanted = account(installation, role)
    return person.request(work.keys, **EDITOR, name=name, service_account=wanted)


def test_nothing_is_lost(installation: Installation, old_tree: Path) -> None:
    here = installation
    old_url = here.start_web(old_tree, "old-web")
    here.start_worker(old_tree, "old-worker")
    here.start_scheduler(old_tree, "old-scheduler")
    work = Work()
    engineer = here.sign_in(old_url, "engineer")
    lead = here.sign_in(old_url, "lead")

    # -- Work under way in the version before -----------------------------------------------------
    work.active = ask(here, engineer, work, "active", "EDITOR")
    engineer.take(work.keys, work.active)
    work.revoked = ask(here, engineer, work, "revoked", "EDITOR")
    engineer.take(work.keys, work.revoked)
    work.sealed = ask(here, engineer, work, "sealed", "EDITOR")
    assert here.becomes(work.sealed, "sealed")
    work.unapproved = ask(here, engineer, work, "unapproved", "ADMIN")
    work.approved = ask(here, engineer, work, "approved", "ADMIN")
    assert lead.post(f"/tokens/{work.approved}/approve/").status_code == 302
    assert here.state(work.approved) == "awaiting_recipient"
    here.stop("old-worker", "old-scheduler")
    work.queued = ask(here, engineer, work, "queued", "EDITOR")
    assert engineer.post(f"/tokens/{work.revoked}/revoke/", reason="over").status_code == 302

    # -- The new schema under the version before --------------------------------------------------
    here.manage(ROOT, "migrate", "--no-input", "-v", "0")
    assert here.manage(ROOT, "verify_audit").startswith("intact")
    here.start_worker(old_tree, "old-worker")
    here.start_scheduler(old_tree, "old-scheduler")
    assert here.becomes(work.queued, "sealed")
    assert here.becomes(work.revoked, "revoked")
    late = ask(here, engineer, work, "asked-of-the-old", "EDITOR")
    engineer.take(work.keys, late)

    # -- Both serve -------------------------------------------------------------------------------
    new_url = here.start_web(ROOT, "new-web")
    here.start_worker(ROOT, "new-worker")
    here.start_scheduler(ROOT, "new-scheduler")
    moved = as_at(engineer, new_url)
    moved_lead = as_at(lead, new_url)
    assert moved.get("/tokens/").status_code == 200, "signed in by the version before"
    back = here.sign_in(new_url, "teammate")
    assert as_at(back, old_url).get("/tokens/").status_code == 200, "signed in by the new one"

    moved.take(work.keys, work.sealed)
    engineer.take(work.keys, work.queued)
    assert moved.post(f"/tokens/{work.approved}/collect/", public_key=work.keys.public).ok
    moved.take(work.keys, work.approved)
    assert moved_lead.post(f"/tokens/{work.unapproved}/approve/").status_code == 302
    assert engineer.post(f"/tokens/{work.unapproved}/collect/", public_key=work.keys.public).ok
    engineer.take(work.keys, work.unapproved)
    taken = [work.active, late, work.sealed, work.queued, work.approved, work.unapproved]
    for number in range(10):
        asks, takes = (engineer, moved) if number % 2 else (moved, engineer)
        made = ask(here, asks, work, f"both-{number}", "EDITOR")
        key = takes.take(work.keys, made)
        [(fingerprint,)] = here.rows("SELECT fingerprint FROM portal_token WHERE id = %s", made)
        assert fingerprint == hashlib.sha256(key.encode()).hexdigest()
        taken.append(made)
    # What the version before knows nothing of: it shows the token, and ends it in time.
    noticed = ask(here, moved, work, "under-notice", "EDITOR")
    moved.take(work.keys, noticed)
    assert moved.post(f"/tokens/{noticed}/places/", place="eks-prod-7").status_code == 302
    assert moved_lead.post(f"/tokens/{noticed}/notice/", notice="30m").status_code == 302
    for path in (f"/tokens/{noticed}/", "/tokens/"):
        assert engineer.get(path).status_code == 200
    here.stop("new-scheduler")
    here.manage(ROOT, "shell", "-c", NOTICE_IS_OVER.format(noticed))
    assert here.becomes(noticed, "revoked")
    here.start_scheduler(ROOT, "new-scheduler")
    assert here.manage(ROOT, "verify_audit").startswith("intact")
    assert here.manage(old_tree, "verify_audit").startswith("intact")
    assert "0 changes" in here.apply_access(ROOT) or "nothing" in here.apply_access(ROOT).lower()

    # -- The version before is gone ---------------------------------------------------------------
    here.stop("old-web", "old-worker", "old-scheduler")
    assert {here.state(one) for one in taken} == {"active"}
    for one in taken:
        assert moved.post(f"/tokens/{one}/revoke/", reason="the end").status_code == 302
    for one in taken:
        assert here.becomes(one, "revoked")
    assert here.aws.live_tokens() == [], "no orphan"
    assert here.manage(ROOT, "verify_audit").startswith("intact")
    for name in ("new-web", "new-worker", "new-scheduler"):
        assert "Traceback" not in here.log(name), here.log(name)


def as_at(person: Person, url: str) -> Person:
    """The same browser at the other version: one session, one CSRF cookie."""
    other = Person(url)
    other.http.cookies.update(person.http.cookies)
    other.csrf = person.csrf
    return other
