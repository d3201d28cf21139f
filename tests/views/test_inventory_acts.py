"""What is done on the inventory's page: who may, what is asked first, and what is said."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.models import (
    Action,
    AuditEvent,
    Drift,
    Grant,
    ListedToken,
    Membership,
    Role,
    ServiceAccount,
    State,
    Team,
    Token,
    User,
)
from tests.conftest import Catalog
from tests.reading import words
from tests.views.conftest import Post

pytestmark = pytest.mark.django_db


@pytest.fixture
def listed(catalog: Catalog) -> Callable[..., ListedToken]:
    def listed(account: ServiceAccount, aws_id: str, name: str, **fields: Any) -> ListedToken:
        now = timezone.now()
        fields = {
            "drift": Drift.FOREIGN,
            "found_at": now,
            "created_at": now - timedelta(hours=1),
            "expires_at": now + timedelta(days=1),
        } | fields
        return ListedToken.objects.create(
            service_account=account, aws_id=aws_id, name=name, **fields
        )

    return listed


@pytest.fixture
def foreign(listed: Callable[..., ListedToken], catalog: Catalog) -> ListedToken:
    return listed(catalog.deployer, "8", "by-hand")


@pytest.fixture
def clients(
    sign_in: Callable[[User], Client],
    admin: User,
    lead: User,
    auditor: User,
    engineer: User,
    outsider: User,
    mobile: Team,
    catalog: Catalog,
) -> dict[str, Client]:
    other_lead = User.objects.create_user("other-lead@example.com")
    Membership.objects.create(user=other_lead, team=mobile, role=Role.LEAD)
    people = {
        "admin": admin,
        "lead": lead,
        "auditor": auditor,
        "member": engineer,
        "outsider": outsider,
        "other_lead": other_lead,
    }
    return {name: sign_in(person) for name, person in people.items()}


ADOPTION = {"team": "platform", "owner": "engineer@example.com", "reason": "deploys"}


@pytest.mark.parametrize(
    ("who", "status"),
    [("outsider", 403), ("member", 403), ("auditor", 403), ("other_lead", 404), ("lead", 302),
     ("admin", 302)],
)  # fmt: skip
@pytest.mark.parametrize("act", ["adopt", "revoke", "many"])
def test_who_may_act_on_what_nobody_here_issued(
    who: str, status: int, act: str, clients: dict[str, Client], post: Post, foreign: ListedToken
) -> None:
    fields: dict[str, str] = {"reason": "not ours"}
    path = f"/inventory/{foreign.pk}/{act}/"
    if act == "adopt":
        fields = ADOPTION
    elif act == "many":
        fields, path = fields | {"item": str(foreign.pk)}, "/inventory/revoke/"
    assert post(clients[who], path, **fields).status_code == status
    foreign.refresh_from_db()
    changed = foreign.end_asked_at is not None or Token.objects.exists()
    assert changed == (status == 302)


def test_an_adopted_token_has_a_page_and_a_place_on_the_desk(
    clients: dict[str, Client], post: Post, foreign: ListedToken, enqueued: list[Any]
) -> None:
    answer = post(clients["lead"], f"/inventory/{foreign.pk}/adopt/", **ADOPTION)
    token = Token.objects.get()
    assert answer.headers["Location"] == f"/tokens/{token.pk}/"
    assert clients["member"].get(f"/tokens/{token.pk}/").status_code == 200
    assert "by-hand" in clients["lead"].get("/team/platform/").content.decode()
    assert clients["member"].get(f"/tokens/{token.pk}/reissue/").status_code == 200
    late = post(clients["lead"], f"/inventory/{foreign.pk}/adopt/", **ADOPTION)
    assert late.status_code == 409
    assert "has a record here by now: active since 20" in late.content.decode()


def test_who_comes_too_late_hears_who_did_what_when(
    clients: dict[str, Client], post: Post, foreign: ListedToken, enqueued: list[Any]
) -> None:
    path = f"/inventory/{foreign.pk}/revoke/"
    assert post(clients["admin"], path, reason="not ours").status_code == 302
    for late in (
        post(clients["lead"], path, reason="me too"),
        post(clients["lead"], f"/inventory/{foreign.pk}/adopt/", **ADOPTION),
    ):
        assert late.status_code == 409
        assert "admin@example.com asked to have it deleted at 20" in late.content.decode()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("team", "", "Choose the team."),
        ("team", "mobile", "has no grant for this account"),
        ("team", "nobody-knows", "has no grant for this account"),
        ("owner", "", "by their address"),
        ("owner", "nobody@example.com", "Nobody here has this address."),
        ("owner", "outsider@example.com", "is not in team platform"),
        ("reason", "", "Say why"),
        ("reason", f"glsa_{'k' * 32}_00000000", "looks like a key"),
    ],
)
def test_what_is_wrong_with_an_adoption_stands_beside_its_field_and_nothing_is_lost(
    field: str,
    value: str,
    said: str,
    clients: dict[str, Client],
    post: Post,
    foreign: ListedToken,
) -> None:
    sent = ADOPTION | {field: value}
    answer = post(clients["lead"], f"/inventory/{foreign.pk}/adopt/", **sent)
    html = answer.content.decode()
    assert answer.status_code == 422
    assert said in html
    for name, kept in sent.items():
        if name != field:
            assert f'value="{kept}"' in html
    assert not Token.objects.exists()


def test_a_look_at_many_lists_them_and_changes_nothing(
    clients: dict[str, Client],
    post: Post,
    foreign: ListedToken,
    listed: Callable[..., ListedToken],
    catalog: Catalog,
    enqueued: list[tuple[str, Any]],
) -> None:
    past = timezone.now() - timedelta(hours=2)
    old = listed(catalog.admin_account, "9", "long-over", expires_at=past)
    items = [str(foreign.pk), str(old.pk)]
    answer = post(clients["admin"], "/inventory/revoke/", item=items, preview="1")
    html = answer.content.decode()
    assert answer.status_code == 200
    assert "End 2 tokens?" in html
    assert "by-hand" in html
    assert "expired and in the way" in words(html)
    assert enqueued == []
    assert not ListedToken.objects.filter(end_asked_at__isnull=False).exists()
    assert post(clients["admin"], "/inventory/revoke/", item=items).status_code == 422
    done = post(clients["admin"], "/inventory/revoke/", item=items, reason="swept")
    assert (done.status_code, done.headers["Location"]) == (302, "/inventory/")
    assert sorted(enqueued) == [("portal.end_listed", pk) for pk in sorted(map(int, items))]
    html = clients["auditor"].get("/inventory/").content.decode()
    assert "admin@example.com asked to have it deleted" in html
    late = post(clients["admin"], "/inventory/revoke/", item=items, reason="again")
    assert late.status_code == 409
    for wrong in ("x", "-1", "9" * 30, "0"):
        assert post(clients["admin"], "/inventory/revoke/", item=wrong).status_code == 404
    assert post(clients["admin"], "/inventory/revoke/", preview="1").status_code == 422


def test_adopting_and_ending_many_want_a_fresh_proof_and_ending_one_does_not(
    clients: dict[str, Client],
    post: Post,
    foreign: ListedToken,
    listed: Callable[..., ListedToken],
    catalog: Catalog,
    settings: Any,
) -> None:
    other = listed(catalog.deployer, "9", "another")
    settings.STEP_UP_SECONDS = -1
    admin = clients["admin"]
    many = {"item": [str(foreign.pk), str(other.pk)], "reason": "why"}
    for path, fields in (
        (f"/inventory/{foreign.pk}/adopt/", ADOPTION),
        ("/inventory/revoke/", many),
    ):
        answer = post(admin, path, **fields)
        assert answer.headers["Location"].startswith("/accounts/reauthenticate/")
    assert not Token.objects.exists()
    one = post(admin, f"/inventory/{foreign.pk}/revoke/", reason="now")
    assert one.headers["Location"] == "/inventory/?workspace=g-00000000a1"
    assert AuditEvent.objects.filter(action=Action.TOKEN_REVOKE_REQUESTED).count() == 1


def test_a_vanished_token_is_closed_by_its_row(
    clients: dict[str, Client],
    post: Post,
    listed: Callable[..., ListedToken],
    catalog: Catalog,
    make_token: Callable[..., Token],
    engineer: User,
) -> None:
    token = make_token(engineer, name="lost", state=State.ACTIVE, aws_token_id="7")
    entry = listed(catalog.deployer, "7", "lost", drift=Drift.VANISHED)
    html = clients["lead"].get("/inventory/").content.decode()
    assert "Close…" in html
    assert f'action="/inventory/{entry.pk}/adopt/"' not in html
    answer = post(clients["lead"], f"/inventory/{entry.pk}/revoke/", reason="deleted by hand")
    assert answer.status_code == 302
    token.refresh_from_db()
    assert (token.state, token.end_reason) == (State.REVOKING, "deleted by hand")


def test_a_lead_sees_what_their_grants_cover_and_nothing_of_other_teams(
    clients: dict[str, Client],
    foreign: ListedToken,
    listed: Callable[..., ListedToken],
    catalog: Catalog,
    make_token: Callable[..., Token],
    engineer: User,
    outsider: User,
    mobile: Team,
) -> None:
    Grant.objects.create(team=mobile, workspace=catalog.workspace)
    make_token(outsider, name="of-mobile", state=State.ACTIVE, aws_token_id="5")
    make_token(engineer, name="of-platform", state=State.ACTIVE, aws_token_id="6")
    listed(catalog.deployer, "5", "of-mobile", drift="", found_at=None)
    listed(catalog.deployer, "6", "of-platform", drift="", found_at=None)
    listed(catalog.mobile_account, "9", "elsewhere")
    html = clients["lead"].get("/inventory/").content.decode()
    assert "by-hand" in html
    assert "of-platform" in html
    for hidden in ("of-mobile", "elsewhere", "retail", "outsider@"):
        assert hidden not in html
    told = clients["lead"].get("/inventory/workspaces/").json()["options"]
    assert [one["value"] for one in told] == ["g-00000000a1"]
    everything = clients["auditor"].get("/inventory/").content.decode()
    assert "of-mobile" in everything
    assert 'action="/inventory/read/"' not in everything, "auditors change nothing"
    assert "Adopt…" not in everything


def test_findings_are_narrowed_by_kind(
    clients: dict[str, Client],
    foreign: ListedToken,
    listed: Callable[..., ListedToken],
    catalog: Catalog,
) -> None:
    past = timezone.now() - timedelta(hours=2)
    listed(catalog.deployer, "9", "long-over", expires_at=past)
    for kind, there, not_there in (
        ("foreign", "by-hand", "long-over"),
        ("expired", "long-over", "by-hand"),
    ):
        html = clients["admin"].get("/inventory/", {"kind": kind}).content.decode()
        table = html.partition('data-testid="drift-table"')[2].partition("</table>")[0]
        assert there in table
        assert not_there not in table
        assert 'What differs <span class="count">1</span>' in html
    assert "Nothing of this kind." in (
        clients["admin"].get("/inventory/", {"kind": "vanished"}).content.decode()
    )
    assert clients["admin"].get("/inventory/", {"kind": "\0🙂"}).status_code == 200


def test_reading_now_shows_how_far_it_has_come(
    clients: dict[str, Client], post: Post, catalog: Catalog
) -> None:
    answer = post(clients["admin"], "/inventory/read/", workspace="g-00000000a1")
    assert answer.headers["Location"] == "/inventory/?workspace=g-00000000a1"
    assert clients["admin"].get("/inventory/progress/").json() == {"of": 2, "done": 0}
    assert "0 of 2 lists read" in clients["auditor"].get("/inventory/").content.decode()
    ServiceAccount.objects.filter(pk=catalog.deployer.pk).update(listed_at=timezone.now())
    assert clients["lead"].get("/inventory/progress/").json() == {"of": 2, "done": 1}
    assert clients["other_lead"].get("/inventory/progress/").json() == {"of": 0, "done": 0}
    assert post(clients["auditor"], "/inventory/read/").status_code == 403


def test_what_amg_changed_is_shown_with_the_tokens_that_hang_on_it(
    clients: dict[str, Client],
    catalog: Catalog,
    make_token: Callable[..., Token],
    engineer: User,
    outsider: User,
    platform: Team,
) -> None:
    later = timezone.now() + timedelta(days=1)
    live: dict[str, Any] = {"state": State.ACTIVE, "expires_at": later}
    make_token(engineer, name="on-deployer", **live)
    make_token(
        engineer, name="on-admin", service_account=catalog.admin_account, aws_token_id="3", **live
    )
    make_token(
        outsider, name="on-mobile", service_account=catalog.mobile_account, aws_token_id="4", **live
    )

    def changed(who: str) -> str:
        html = clients[who].get("/inventory/").content.decode()
        return str(html.partition('data-testid="changed-table"')[2].partition("</table>")[0])

    assert changed("admin") == ""
    ServiceAccount.objects.filter(pk=catalog.deployer.pk).update(is_disabled=True)
    assert "disabled in Grafana" in changed("lead")
    assert "on-deployer" in changed("lead")
    ServiceAccount.objects.filter(pk=catalog.deployer.pk).update(
        is_disabled=False, gone_at=timezone.now()
    )
    assert "no longer exists in Grafana" in changed("lead")
    catalog.mobile_account.workspace.grafana_version = "8.4"
    catalog.mobile_account.workspace.save()
    assert "runs Grafana 8.4" in changed("admin")
    assert "on-mobile" not in changed("lead")
    Grant.objects.create(
        team=platform,
        workspace=catalog.workspace,
        service_account=catalog.admin_account,
        suspended_at=timezone.now(),
        suspended_reason="Its role was raised from EDITOR to ADMIN.",
    )
    assert "Its role was raised" in changed("lead")
    assert "on-admin" in changed("lead")
    catalog.workspace.gone_at = timezone.now()
    catalog.workspace.save()
    assert "no longer exists at AWS" in changed("admin")
