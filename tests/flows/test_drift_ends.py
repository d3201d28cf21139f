"""Drift of every kind, made behind the portal's back: found, named, adopted, revoked, closed, and
counted once."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.db.models.functions import Now
from django.utils import timezone

from portal.audit import keys
from portal.audit.database import verify_database
from portal.flows.adopt import AdoptionRefusedError, NotForeignError, adopt
from portal.flows.end_listed import delete_listed, end_listed
from portal.flows.issue import issue
from portal.flows.read_lists import accounts_to_list
from portal.flows.revoke import delete_at_aws
from portal.flows.sweep import listed_tokens_to_end
from portal.flows.take_inventory import take_inventory
from portal.flows.want_lists import want_lists
from portal.gateway import Gateway
from portal.life import Effects
from portal.models import (
    Action,
    AuditEvent,
    Drift,
    Grant,
    ListedToken,
    Membership,
    Notice,
    NoticeKind,
    Role,
    ServiceAccount,
    State,
    Team,
    Token,
    User,
)
from portal.models.flags import Flag
from tests.conftest import Catalog, acting, asked_for
from tests.grafana.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_waiting")]
DELETE = "DeleteWorkspaceServiceAccountToken"


def make_at_aws(account: ServiceAccount, name: str, *, seconds: int = 3600) -> ListedToken:
    """Somebody makes a token outside the portal; AMG's list is read."""
    gateway = Gateway(account.workspace.connection)
    made = gateway.create_token(
        account.workspace.aws_id, account.aws_id, name=name, seconds_to_live=seconds
    )
    assert take_inventory(account.pk)
    return ListedToken.objects.get(service_account=account, aws_id=made.id)


def events(*actions: Action) -> list[tuple[str, str, str, str]]:
    rows = AuditEvent.objects.filter(action__in=actions).order_by("seq")
    return list(rows.values_list("action", "actor", "aws_token_id", "reason"))


@pytest.fixture
def foreign(aws: SandboxProcess, catalog: Catalog) -> ListedToken:
    return make_at_aws(catalog.deployer, "by hand")


@pytest.fixture
def ours(catalog: Catalog, make_token: Callable[..., Token], engineer: User) -> Token:
    token = asked_for(make_token(engineer))
    issue(token.pk)
    earlier = timezone.now() - timedelta(minutes=2)
    Token.objects.filter(pk=token.pk).update(
        state=State.ACTIVE, sealed_key=None, sealed_at=earlier, delivered_at=Now()
    )
    token.refresh_from_db()
    return token


# -- Adopted ------------------------------------------------------------------------------------


def test_a_foreign_token_is_adopted_and_is_like_any_other_from_then_on(
    aws: SandboxProcess,
    catalog: Catalog,
    foreign: ListedToken,
    admin: User,
    engineer: User,
    lead: User,
    platform: Team,
) -> None:
    token, effects = adopt(
        foreign.pk, team=platform, owner=engineer, actor=acting(admin), reason="deploys of acme"
    )
    token.refresh_from_db()
    assert (token.state, token.owner, token.team) == (State.ACTIVE, engineer, platform)
    assert (token.aws_token_id, token.seconds_to_live) == (foreign.aws_id, 3600)
    assert (token.fingerprint, token.sealed_key, bytes(token.public_key)) == ("", None, b"")
    assert effects.changed == [token.pk]
    [(_, actor, _, reason)] = events(Action.TOKEN_ADOPTED)
    assert (actor, reason) == ("admin@example.com", "deploys of acme")
    told = Notice.objects.filter(token=token, kind=NoticeKind.ADOPTED)
    assert {one.recipient.email for one in told} == {engineer.email, lead.email}
    assert take_inventory(catalog.deployer.pk)
    entry = ListedToken.objects.get(pk=foreign.pk)
    assert (entry.drift, entry.found_at) == ("", None), "it is no finding any more"
    assert len(events(Action.TOKEN_DRIFT_FOUND)) == 1
    assert Token.objects.filter(Flag.ENDS_SOON.condition | Flag.NEVER_USED.condition).count() == 0
    verify_database(keys.every(), {})


def test_an_inventory_that_is_read_while_one_is_adopted_finds_it_once(
    foreign: ListedToken, catalog: Catalog, lead: User, platform: Team,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def adopt_meanwhile(self: Gateway, *arguments: object, **options: object) -> object:
        listed = listing(self, *arguments, **options)  # type: ignore[arg-type]
        adopt(foreign.pk, team=platform, owner=lead, actor=acting(lead), reason="mine")
        return listed

    listing = Gateway.list_tokens
    monkeypatch.setattr(Gateway, "list_tokens", adopt_meanwhile)
    assert take_inventory(catalog.deployer.pk)
    assert ListedToken.objects.get().drift == ""
    assert len(events(Action.TOKEN_DRIFT_FOUND)) == 1


def test_what_stands_against_an_adoption_is_said(
    foreign: ListedToken,
    catalog: Catalog,
    admin: User,
    lead: User,
    engineer: User,
    outsider: User,
    platform: Team,
    mobile: Team,
) -> None:
    def refused(team: Team, owner: User, by: User = admin) -> tuple[str, str]:
        with pytest.raises(AdoptionRefusedError) as refusal:
            adopt(foreign.pk, team=team, owner=owner, actor=acting(by), reason="why")
        return refusal.value.field, refusal.value.message

    assert refused(mobile, outsider)[0] == "team"
    assert refused(mobile, outsider, by=lead)[0] == "team"
    assert refused(platform, outsider) == (
        "owner",
        "outsider@example.com is not in team platform.",
    )
    User.objects.filter(pk=engineer.pk).update(is_active=False)
    assert refused(platform, User.objects.get(pk=engineer.pk))[0] == "owner"
    for nobody in (engineer, outsider):
        with pytest.raises(PermissionDenied):
            adopt(foreign.pk, team=platform, owner=lead, actor=acting(nobody), reason="why")
    ListedToken.objects.update(expires_at=timezone.now() - timedelta(minutes=5))
    assert refused(platform, lead)[1] == "It can't be adopted: it has expired: end it."
    ListedToken.objects.update(created_at=None)
    assert "AWS does not say when" in refused(platform, lead)[1]
    Grant.objects.filter(team=platform).update(
        service_account=catalog.deployer, suspended_at=timezone.now()
    )
    assert refused(platform, lead)[0] == "team"
    assert not Token.objects.exists()


def test_a_name_that_a_row_has_is_said_and_nothing_happens(
    foreign: ListedToken,
    make_token: Callable[..., Token],
    lead: User,
    engineer: User,
    platform: Team,
) -> None:
    make_token(engineer, name=foreign.name)
    with pytest.raises(AdoptionRefusedError, match="a row of this name is there"):
        adopt(foreign.pk, team=platform, owner=lead, actor=acting(lead), reason="why")


def test_it_is_adopted_once(foreign: ListedToken, lead: User, platform: Team) -> None:
    adopt(foreign.pk, team=platform, owner=lead, actor=acting(lead), reason="mine")
    with pytest.raises(NotForeignError):
        adopt(foreign.pk, team=platform, owner=lead, actor=acting(lead), reason="again")
    assert end_listed([foreign.pk], actor=acting(lead), reason="late").too_late


# -- Revoked ------------------------------------------------------------------------------------


def test_a_foreign_token_is_deleted_at_aws_and_the_log_says_who_asked(
    aws: SandboxProcess, foreign: ListedToken, admin: User, lead: User, platform: Team
) -> None:
    done = end_listed([foreign.pk], actor=acting(admin), reason="nobody needs it")
    assert done.effects.end_listed == [foreign.pk]
    assert len(aws.live_tokens()) == 1, "a worker deletes it, no page"
    with pytest.raises(NotForeignError, match="has asked to have"):
        adopt(foreign.pk, team=platform, owner=lead, actor=acting(lead), reason="mine")
    assert delete_listed(foreign.pk) == Effects()
    assert aws.live_tokens() == []
    assert not ListedToken.objects.exists()
    asked, ended = events(Action.TOKEN_REVOKE_REQUESTED, Action.TOKEN_REVOKED)
    assert asked[1:] == ("admin@example.com", foreign.aws_id, "nobody needs it")
    assert ended[1:] == ("portal", foreign.aws_id, "nobody needs it")
    assert AuditEvent.objects.get(action=Action.TOKEN_REVOKED).aws_request_id
    verify_database(keys.every(), {})
    delete_listed(foreign.pk)
    assert len(events(Action.TOKEN_REVOKED)) == 1


def test_what_aws_refuses_is_tried_again_and_shows(
    aws: SandboxProcess, foreign: ListedToken, lead: User
) -> None:
    end_listed([foreign.pk], actor=acting(lead), reason="not ours")
    aws.fault("error", operation=DELETE, type="AccessDeniedException")
    delete_listed(foreign.pk)
    entry = ListedToken.objects.get()
    assert (entry.end_error, entry.tries) == ("AccessDeniedException", 1)
    assert entry.not_before is not None
    assert listed_tokens_to_end().end_listed == [], "not at once"
    delete_listed(foreign.pk)
    assert len(aws.live_tokens()) == 1
    ListedToken.objects.update(not_before=timezone.now() - timedelta(seconds=1))
    assert listed_tokens_to_end().end_listed == [foreign.pk]
    delete_listed(foreign.pk)
    assert aws.live_tokens() == []


def test_what_is_gone_by_then_is_told_of_once(
    aws: SandboxProcess, catalog: Catalog, foreign: ListedToken, lead: User
) -> None:
    end_listed([foreign.pk], actor=acting(lead), reason="not ours")
    account = catalog.deployer
    Gateway(account.workspace.connection).delete_token(
        account.workspace.aws_id, account.aws_id, foreign.aws_id
    )
    assert take_inventory(account.pk)
    delete_listed(foreign.pk)
    [(_, _, aws_id, reason)] = events(Action.TOKEN_REVOKED)
    assert (aws_id, reason) == (foreign.aws_id, "not ours")


def test_many_are_ended_at_once_and_an_expired_one_frees_its_place(
    aws: SandboxProcess, catalog: Catalog, admin: User
) -> None:
    entries = [
        make_at_aws(catalog.deployer, "old", seconds=1),
        make_at_aws(catalog.mobile_account, "other"),
    ]
    aws.advance(60)
    ListedToken.objects.filter(name="old").update(expires_at=timezone.now() - timedelta(seconds=1))
    assert ListedToken.objects.get(name="old").is_in_the_way
    done = end_listed([one.pk for one in entries], actor=acting(admin), reason="swept")
    assert len(done.asked) == 2
    for pk in done.effects.end_listed:
        delete_listed(pk)
    assert not ListedToken.objects.exists()
    for account in (catalog.deployer, catalog.mobile_account):
        listed = Gateway(account.workspace.connection).list_tokens(
            account.workspace.aws_id, account.aws_id
        )
        assert listed.tokens == ()


def test_a_lead_ends_what_is_of_accounts_of_their_teams_alone(
    aws: SandboxProcess, catalog: Catalog, foreign: ListedToken, lead: User, auditor: User
) -> None:
    other = make_at_aws(catalog.mobile_account, "of mobile")
    for who, ids in ((lead, [other.pk]), (lead, [foreign.pk, other.pk]), (auditor, [foreign.pk])):
        with pytest.raises(PermissionDenied):
            end_listed(ids, actor=acting(who), reason="why")
    assert events(Action.TOKEN_REVOKE_REQUESTED) == []
    with pytest.raises(ListedToken.DoesNotExist):
        end_listed([foreign.pk, 10**9], actor=acting(lead), reason="why")


# -- Closed -------------------------------------------------------------------------------------


def test_a_vanished_token_is_closed_and_its_name_is_free(
    aws: SandboxProcess, catalog: Catalog, ours: Token, lead: User, engineer: User
) -> None:
    account = catalog.deployer
    Gateway(account.workspace.connection).delete_token(
        account.workspace.aws_id, account.aws_id, ours.aws_token_id
    )
    assert take_inventory(account.pk)
    entry = ListedToken.objects.get()
    assert entry.drift == Drift.VANISHED
    done = end_listed([entry.pk], actor=acting(lead), reason="somebody deleted it")
    assert done.effects.revoke == [ours.pk]
    assert not ListedToken.objects.exists(), "it differs no more"
    delete_at_aws(ours.pk)
    ours.refresh_from_db()
    assert (ours.state, ours.may_exist_at_aws) == (State.REVOKED, False)
    assert Notice.objects.filter(kind=NoticeKind.REVOKED, recipient=engineer).exists()
    assert len(events(Action.TOKEN_DRIFT_FOUND)) == 1
    assert take_inventory(account.pk)
    assert len(events(Action.TOKEN_DRIFT_FOUND)) == 1


def test_what_has_ended_here_and_lives_there_is_revoked(
    aws: SandboxProcess, catalog: Catalog, ours: Token, lead: User
) -> None:
    earlier = timezone.now() - timedelta(minutes=5)
    Token.objects.filter(pk=ours.pk).update(state=State.EXPIRED, state_at=earlier)
    assert take_inventory(catalog.deployer.pk)
    entry = ListedToken.objects.get()
    assert entry.drift == Drift.ENDED
    end_listed([entry.pk], actor=acting(lead), reason="still alive")
    delete_at_aws(ours.pk)
    assert aws.live_tokens() == []


def test_another_teams_token_is_not_a_leads_to_close(
    aws: SandboxProcess, catalog: Catalog, ours: Token, mobile: Team, outsider: User
) -> None:
    Membership.objects.filter(user=outsider).update(role=Role.LEAD)
    Grant.objects.create(team=mobile, workspace=catalog.workspace)
    Gateway(catalog.workspace.connection).delete_token(
        catalog.workspace.aws_id, catalog.deployer.aws_id, ours.aws_token_id
    )
    assert take_inventory(catalog.deployer.pk)
    with pytest.raises(PermissionDenied):
        end_listed([ListedToken.objects.get().pk], actor=acting(outsider), reason="why")
    ours.refresh_from_db()
    assert ours.state == State.ACTIVE


# -- Read now -----------------------------------------------------------------------------------


def test_lists_that_somebody_waits_for_are_read_first_though_reading_is_switched_off(
    aws: SandboxProcess, catalog: Catalog, admin: User, lead: User, auditor: User, engineer: User
) -> None:
    everything = ServiceAccount.objects.all()
    for nobody in (auditor, engineer):
        with pytest.raises(PermissionDenied):
            want_lists(everything, actor=acting(nobody))
    assert accounts_to_list().inventory == []
    of_lead = want_lists(everything, actor=acting(lead))
    assert of_lead == ServiceAccount.objects.filter(workspace=catalog.workspace).count()
    ServiceAccount.objects.update(list_wanted_at=None)
    want_lists(ServiceAccount.objects.filter(pk=catalog.deployer.pk), actor=acting(admin))
    assert accounts_to_list().inventory == [catalog.deployer.pk]
    assert accounts_to_list().inventory == [], "a worker has it"
    ServiceAccount.objects.update(list_asked_at=timezone.now() - timedelta(seconds=61))
    assert accounts_to_list().inventory == [catalog.deployer.pk], "its message was lost"
    take_inventory(catalog.deployer.pk)
    ServiceAccount.objects.update(list_asked_at=timezone.now() - timedelta(seconds=61))
    assert accounts_to_list().inventory == [], "it is done"
