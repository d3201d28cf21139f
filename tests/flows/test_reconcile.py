"""`manage.py reconcile`: what AWS has and no row knows, as after the restore of an old backup."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from portal.audit import keys
from portal.audit.database import verify_database
from portal.gateway import Gateway
from portal.models import Action, AuditEvent, Grant, ListedToken, State, Token, User
from tests.conftest import Catalog
from tests.grafana.sandbox_process import SandboxProcess

pytestmark = pytest.mark.django_db


def make_at_aws(catalog: Catalog, name: str) -> str:
    """As it stands there after a restore: made by the portal, and on none of its rows."""
    account = catalog.deployer
    gateway = Gateway(account.workspace.connection)
    made = gateway.create_token(
        account.workspace.aws_id, account.aws_id, name=name, seconds_to_live=3600
    )
    return made.id


def reconcile(*options: str) -> str:
    out = StringIO()
    call_command("reconcile", *options, stdout=out)
    return out.getvalue()


def test_it_lists_and_changes_nothing(aws: SandboxProcess, catalog: Catalog) -> None:
    aws_id = make_at_aws(catalog, "ci-lost")
    said = reconcile()
    assert f"ci-lost (id {aws_id}), made " in said
    assert [one["name"] for one in aws.live_tokens()] == ["ci-lost"]
    assert not Token.objects.exists()
    assert not AuditEvent.objects.filter(action=Action.HISTORY_RESTORED).exists()


def test_where_every_token_has_its_row_nothing_is_listed(
    aws: SandboxProcess, catalog: Catalog
) -> None:
    assert reconcile() == "AWS has no token that no row knows.\n"


def test_it_ends_them_and_the_log_says_where_it_was_cut(
    aws: SandboxProcess, catalog: Catalog
) -> None:
    aws_id = make_at_aws(catalog, "ci-lost")
    before = AuditEvent.objects.count()
    assert "ci-lost: ended" in reconcile("--end")
    assert aws.live_tokens() == []
    cut, ended = AuditEvent.objects.filter(action=Action.HISTORY_RESTORED).order_by("seq")
    assert cut.subject.startswith("a backup that ends with event ")
    assert (ended.subject, ended.aws_token_id) == ("ended: ci-lost", aws_id)
    assert ended.aws_request_id
    assert AuditEvent.objects.count() > before
    verify_database(keys.every(), {})
    assert reconcile() == "AWS has no token that no row knows.\n"


def test_it_adopts_them_for_the_lead_of_the_team_that_is_granted_the_account(
    aws: SandboxProcess, catalog: Catalog, lead: User
) -> None:
    aws_id = make_at_aws(catalog, "ci-lost")
    said = reconcile("--adopt")
    assert f"ci-lost: adopted by team platform, {lead.email}" in said
    token = Token.objects.get()
    assert (token.state, token.aws_token_id, token.owner) == (State.ACTIVE, aws_id, lead)
    assert token.seconds_to_live == 3600
    assert token.expires_at
    assert AuditEvent.objects.filter(action=Action.TOKEN_ADOPTED, token_id=token.pk).exists()
    verify_database(keys.every(), {})
    assert reconcile() == "AWS has no token that no row knows.\n"


def test_what_can_not_be_adopted_is_told_and_stays(aws: SandboxProcess, catalog: Catalog) -> None:
    make_at_aws(catalog, "ci-lost")
    Grant.objects.all().delete()
    with pytest.raises(CommandError, match="ci-lost: no team with a lead or an admin is granted"):
        reconcile("--adopt")
    assert len(aws.live_tokens()) == 1


def test_what_others_made_before_the_backup_can_be_left_alone(
    aws: SandboxProcess, catalog: Catalog
) -> None:
    make_at_aws(catalog, "somebody-else's")
    later = (timezone.now() + timedelta(hours=1)).isoformat()
    assert reconcile("--end", "--since", later) == "AWS has no token that no row knows.\n"
    assert len(aws.live_tokens()) == 1
    assert ListedToken.objects.exists()


@pytest.mark.parametrize(
    "moment", ["yesterday", "2026-11-28", "2026-11-28T09:00:00", "2026-13-01T00:00Z"]
)
def test_a_moment_without_a_zone_is_none(catalog: Catalog, moment: str) -> None:
    with pytest.raises(CommandError, match="with its zone"):
        reconcile("--since", moment)


def test_a_list_that_aws_does_not_give_is_told(aws: SandboxProcess, catalog: Catalog) -> None:
    aws.fault("error", operation="ListWorkspaceServiceAccountTokens", type="AccessDeniedException")
    with pytest.raises(CommandError, match="its tokens could not be listed"):
        reconcile()


def test_one_that_aws_does_not_delete_is_told_and_the_others_go(
    aws: SandboxProcess, catalog: Catalog, capsys: Callable[[], None]
) -> None:
    make_at_aws(catalog, "ci-1")
    make_at_aws(catalog, "ci-2")
    aws.fault("error", operation="DeleteWorkspaceServiceAccountToken", type="AccessDeniedException")
    with pytest.raises(CommandError, match=r"ci-1: .*AccessDenied"):
        reconcile("--end")
    assert [one["name"] for one in aws.live_tokens()] == ["ci-1"]
