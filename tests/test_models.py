"""What the database itself refuses, whoever writes to it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.session import Session
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal import life
from portal.amg import LONGEST_LIFETIME
from portal.models import Grant, Membership, ServiceAccount, State, Token, User, Workspace
from portal.models.states import OPEN
from tests.conftest import Catalog

pytestmark = pytest.mark.django_db

MakeToken = Callable[..., Token]
OVER = [state for state in State if state not in OPEN]


def refused(constraint: str, act: Callable[[], object]) -> None:
    """The database refuses, and says which of its rules it was."""
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        act()


def fields_for(state: State) -> dict[str, Any]:
    lease = timezone.now() if state == State.ISSUING else None
    return {"state": state, "lease_until": lease}


# -- Names --------------------------------------------------------------------------------------

WORKSPACE_STATES = Session().get_service_model("grafana").shape_for("WorkspaceStatus").enum
"""AWS's own list."""
NAME_ONCE = "token_name_once|portal_token.workspace_id, portal_token.name"


@pytest.mark.parametrize("state", OPEN)
def test_an_open_token_holds_its_name_in_its_workspace(
    make_token: MakeToken, engineer: User, state: State
) -> None:
    make_token(engineer, name="ci", **fields_for(state))
    refused(NAME_ONCE, lambda: make_token(engineer, name="ci"))
    assert Token.objects.holding_name(Token.objects.get().workspace_id, "ci").exists()


@pytest.mark.parametrize("state", OVER)
def test_an_ended_token_holds_its_name_while_aws_may_still_list_it(
    make_token: MakeToken, engineer: User, state: State
) -> None:
    ended = make_token(engineer, name="ci", state=state, may_exist_at_aws=True)
    refused(NAME_ONCE, lambda: make_token(engineer, name="ci"))
    ended.change(may_exist_at_aws=False)
    assert not Token.objects.holding_name(ended.workspace_id, "ci").exists()
    make_token(engineer, name="ci")


def test_another_workspace_has_names_of_its_own(
    make_token: MakeToken, engineer: User, outsider: User, catalog: Catalog
) -> None:
    make_token(engineer, name="ci")
    make_token(outsider, name="ci", service_account=catalog.mobile_account)


def test_names_differ_by_letter_case_as_they_do_in_grafana(
    make_token: MakeToken, engineer: User
) -> None:
    make_token(engineer, name="ci")
    make_token(engineer, name="CI")


def test_a_token_at_aws_belongs_to_one_row(make_token: MakeToken, engineer: User) -> None:
    make_token(engineer, aws_token_id="17")
    rule = "token_aws_id_once|portal_token.workspace_id, portal_token.aws_token_id"
    refused(rule, lambda: make_token(engineer, aws_token_id="17"))
    make_token(engineer, aws_token_id="")
    make_token(engineer, aws_token_id="")


# -- States -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [state for state in State if state != State.SEALED])
def test_no_ciphertext_outlives_the_wait_for_its_browser(
    make_token: MakeToken, engineer: User, state: State
) -> None:
    refused(
        "token_ciphertext_only_while_sealed",
        lambda: make_token(engineer, sealed_key=b"ciphertext", **fields_for(state)),
    )
    token = make_token(engineer, state=State.SEALED, sealed_key=b"ciphertext")
    refused(
        "token_ciphertext_only_while_sealed",
        lambda: Token.objects.filter(pk=token.pk).update(**fields_for(state)),
    )


def test_a_token_that_is_being_issued_has_a_lease(make_token: MakeToken, engineer: User) -> None:
    refused("token_issuing_has_lease", lambda: make_token(engineer, state=State.ISSUING))


@pytest.mark.parametrize("seconds", [0, LONGEST_LIFETIME + 1])
def test_a_lifetime_has_awss_bounds(make_token: MakeToken, engineer: User, seconds: int) -> None:
    refused("token_lifetime", lambda: make_token(engineer, seconds_to_live=seconds))


@pytest.mark.parametrize("seconds", [1, LONGEST_LIFETIME])
def test_the_bounds_belong_to_it(make_token: MakeToken, engineer: User, seconds: int) -> None:
    assert make_token(engineer, seconds_to_live=seconds).seconds_to_live == seconds


def test_a_row_is_claimed_once(make_token: MakeToken, engineer: User) -> None:
    token, other = make_token(engineer), make_token(engineer)
    assert life.claim(token.pk, 1)
    assert not life.claim(token.pk, 1)
    assert not life.claim(token.pk, 2)
    token.refresh_from_db()
    assert (token.state, token.attempt, token.may_exist_at_aws) == (State.ISSUING, 1, True)
    assert token.unresolved_since is not None
    assert token.lease_until is not None
    assert token.last_signature_at is not None
    assert token.unresolved_since < token.last_signature_at < token.lease_until
    other.refresh_from_db()
    assert (other.state, other.attempt) == (State.QUEUED, 0)


def test_a_later_attempt_leaves_since_when_the_outcome_is_unknown(
    make_token: MakeToken, engineer: User
) -> None:
    since = timezone.now() - timedelta(seconds=90)
    token = make_token(engineer, attempt=6, unresolved_since=since)
    assert life.claim(token.pk, 7)
    token.refresh_from_db()
    assert (token.attempt, token.unresolved_since) == (7, since)


def test_a_row_that_is_told_to_wait_is_not_claimed(make_token: MakeToken, engineer: User) -> None:
    later = timezone.now() + timedelta(seconds=5)
    token = make_token(engineer, not_before=later)
    assert not life.claim(token.pk, 1)


# -- People -------------------------------------------------------------------------------------


def test_an_address_belongs_to_one_person_whatever_its_letter_case(engineer: User) -> None:
    refused("user_email_once", lambda: User.objects.create(email="Engineer@Example.com"))


def test_an_address_is_kept_in_lower_case_however_it_comes(db: None) -> None:
    assert User.objects.create_user(" Eve@Example.com").email == "eve@example.com"
    by_form = User(email="Eva@Example.com", password="!")
    by_form.full_clean()
    assert by_form.email == "eva@example.com"
    assert User.objects.get_by_natural_key("EVE@example.com").email == "eve@example.com"


def test_a_person_is_in_a_team_once(engineer: User) -> None:
    team = engineer.teams.get()
    rule = "membership_once|portal_membership.user_id, portal_membership.team_id"
    refused(rule, lambda: Membership.objects.create(user=engineer, team=team))


def test_a_person_with_tokens_is_not_deleted(make_token: MakeToken, engineer: User) -> None:
    make_token(engineer)
    with pytest.raises(IntegrityError):
        engineer.delete()


# -- Grants -------------------------------------------------------------------------------------


def test_a_team_has_one_grant_of_each_kind(catalog: Catalog, outsider: User) -> None:
    team = Grant.objects.get(team__slug="platform").team
    account = {"workspace": catalog.workspace, "service_account": catalog.deployer}
    workspace = {"workspace": catalog.workspace}
    Grant.objects.create(team=team)
    Grant.objects.create(team=team, **account)
    refused("grant_once|UNIQUE", lambda: Grant.objects.create(team=team))
    refused("grant_once|UNIQUE", lambda: Grant.objects.create(team=team, **workspace))
    refused("grant_once|UNIQUE", lambda: Grant.objects.create(team=team, **account))


def test_a_grant_for_an_account_names_its_workspace(catalog: Catalog) -> None:
    team = Grant.objects.get(team__slug="platform").team
    refused(
        "grant_account_has_workspace",
        lambda: Grant.objects.create(team=team, service_account=catalog.deployer),
    )


def test_a_suggested_lifetime_is_within_the_longest(catalog: Catalog) -> None:
    refused("grant_default_within_max", lambda: Grant.objects.update(max_ttl=60, default_ttl=61))
    grant = Grant.objects.get(team__slug="platform")
    grant.max_ttl = LONGEST_LIFETIME + 1
    with pytest.raises(ValidationError):
        grant.full_clean()


# -- Workspaces ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "obstacle"),
    [
        ({}, ""),
        ({"grafana_version": "9.4"}, ""),
        ({"grafana_version": "12.0"}, ""),
        ({"grafana_version": ""}, ""),
        ({"grafana_version": "8.4"}, "tokens need version 9"),
        *(
            ({"status": status}, f"its status is {status}")
            for status in ("DELETING", "DELETION_FAILED", "CREATION_FAILED")
        ),
        ({"gone_at": timezone.now()}, "no longer exists"),
    ],
)
def test_a_workspace_says_what_stands_in_the_way(
    catalog: Catalog, fields: dict[str, Any], obstacle: str
) -> None:
    Workspace.objects.filter(pk=catalog.workspace.pk).update(**fields)
    account = ServiceAccount.objects.get(pk=catalog.deployer.pk)
    assert obstacle in account.workspace.obstacle
    assert bool(obstacle) == bool(account.workspace.obstacle)
    assert account.obstacle == account.workspace.obstacle


@pytest.mark.parametrize("status", [*WORKSPACE_STATES, "A_STATE_OF_TOMORROW"])
def test_in_every_other_state_aws_decides(catalog: Catalog, status: str) -> None:
    catalog.workspace.status = status
    is_lost = status in {"DELETING", "DELETION_FAILED", "CREATION_FAILED"}
    assert bool(catalog.workspace.obstacle) == is_lost
    passes = {"CREATING", "UPDATING", "UPGRADING", "VERSION_UPDATING"}
    assert catalog.workspace.is_changing == (status in passes)


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [
        (
            "g-1.grafana-workspace.eu-west-1.amazonaws.com",
            "https://g-1.grafana-workspace.eu-west-1.amazonaws.com",
        ),
        ("http://127.0.0.1:9100/", "http://127.0.0.1:9100"),
    ],
)
def test_a_workspace_is_reached_by_https_unless_aws_says_otherwise(
    endpoint: str, address: str
) -> None:
    assert Workspace(endpoint=endpoint).address == address


# -- Migrations ---------------------------------------------------------------------------------


def test_migrations_say_all_that_the_models_say() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
