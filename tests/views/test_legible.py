"""Text that is what it looks like: what is typed here, and what AWS, browsers and old rows say."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail as outbox
from django.db import transaction
from django.test import Client
from django.utils import timezone

from portal import audit, notify
from portal.audit import Actor
from portal.flows.mail import mail
from portal.models import (
    Action,
    AuditEvent,
    Connection,
    Drift,
    Grant,
    ListedToken,
    NoticeKind,
    State,
    Team,
    Token,
    User,
)
from portal.models.catalog import Approval
from tests.conftest import Catalog, acting
from tests.views.conftest import Post
from tests.views.test_rights import PARAMETER, _value, urls

pytestmark = pytest.mark.django_db

HIDDEN = "a\u202egnp.exe"
NAMED = "U+202E right-to-left override"
NEEDED = "👩\u200d💻 می\u200cکنم"
RAW = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\ue000]")
"""Characters that may stand on no page (U+200C, U+200D and the isolates may)."""

WORKSPACE = "obs\u202eerv\x1b[31mability"
ACCOUNT = "de\u200bplo\r\nyer"


# -- Typed --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "action", "field", "more"),
    [
        (State.AWAITING_APPROVAL, "approve", "reason", {}),
        (State.AWAITING_APPROVAL, "deny", "reason", {}),
        (State.ACTIVE, "reissue", "reason", {"mode": "replace", "recipient": "owner"}),
        (State.ACTIVE, "hand-over", "reason", {"person": "teammate@example.com"}),
    ],
)
def test_a_reason_that_hides_something_is_refused_and_kept_for_mending(
    make_token: Callable[..., Token],
    engineer: User,
    teammate: User,
    lead: User,
    sign_in: Callable[[User], Client],
    post: Post,
    state: State,
    action: str,
    field: str,
    more: dict[str, str],
) -> None:
    Grant.objects.update(approval=Approval.ALWAYS)
    token = make_token(engineer, state=state)
    answer = post(sign_in(lead), f"/tokens/{token.pk}/{action}/", **more | {field: HIDDEN})
    assert answer.status_code == 422
    assert NAMED in answer.content.decode()
    assert HIDDEN in answer.content.decode()
    token.refresh_from_db()
    assert token.state == state
    done = post(sign_in(lead), f"/tokens/{token.pk}/{action}/", **more | {field: NEEDED})
    assert done.status_code == 302


@pytest.mark.parametrize("many", [False, True])
def test_no_reason_is_too_odd_to_end_a_token_and_none_hides_anything(
    make_token: Callable[..., Token],
    engineer: User,
    lead: User,
    sign_in: Callable[[User], Client],
    post: Post,
    many: bool,
) -> None:
    token = make_token(engineer, state=State.ACTIVE)
    reason = f"it\u200b leaked:\nglsa_{'k' * 16}\u200b{'k' * 16} \u202e"
    if many:
        answer = post(sign_in(lead), "/team/platform/revoke/", token=[str(token.pk)], reason=reason)
    else:
        answer = post(sign_in(lead), f"/tokens/{token.pk}/revoke/", reason=reason)
    assert answer.status_code == 302
    token.refresh_from_db()
    assert token.state == State.REVOKING
    assert token.end_reason == "it leaked: glsa_(hidden)"


def test_django_s_admin_takes_nothing_that_hides_anything(
    admin: User, platform: Team, engineer: User, sign_in: Callable[[User], Client]
) -> None:
    Connection.objects.create(name="main")
    team = {
        "slug": "platform",
        "name": "Platform",
        "idp_groups": "",
        "lead_idp_groups": "",
        **{
            f"{rows}-{name}": "0"
            for rows in ("memberships", "grants")
            for name in ("TOTAL_FORMS", "INITIAL_FORMS")
        },
    }
    client = sign_in(admin)
    person = {"name": "", "is_active": "on"}
    for path, fields, field in (
        (f"/admin/portal/team/{platform.pk}/change/", team, "name"),
        (f"/admin/portal/team/{platform.pk}/change/", team, "idp_groups"),
        (f"/admin/portal/user/{engineer.pk}/change/", person, "name"),
        ("/admin/portal/connection/add/", {"name": "second"}, "external_id"),
        ("/admin/portal/connection/add/", {"name": "second"}, "role_arn"),
    ):
        answer = client.post(path, fields | {field: HIDDEN})
        assert answer.status_code == 200
        assert NAMED in answer.content.decode(), (path, field)
    assert client.post("/admin/portal/user/add/", {"email": "rené@example.com"}).status_code == 200
    assert client.post("/admin/portal/user/add/", {"email": "Anna@Bücher.de"}).status_code == 302
    assert client.post("/admin/portal/user/add/", {"email": "anna@bücher.de"}).status_code == 200
    assert User.objects.filter(email__startswith="anna").get().email == "anna@xn--bcher-kva.de"
    named = client.post(f"/admin/portal/user/{engineer.pk}/change/", person | {"name": NEEDED})
    assert named.status_code == 302


def test_a_person_of_before_whose_address_would_be_refused_today_can_be_ended_and_handed_over(
    make_token: Callable[..., Token],
    platform: Team,
    lead: User,
    sign_in: Callable[[User], Client],
    post: Post,
) -> None:
    old = User.objects.create(email="rené@bücher.example")
    platform.memberships.create(user=old)
    token = make_token(old, state=State.ACTIVE)
    answer = post(
        sign_in(lead), "/team/platform/revoke/", person="René@Bücher.example", reason="left"
    )
    assert answer.status_code == 302
    token.refresh_from_db()
    assert token.state == State.REVOKING
    mine = make_token(lead, state=State.ACTIVE)
    answer = post(sign_in(lead), f"/tokens/{mine.pk}/hand-over/", person="rené@bücher.example")
    assert answer.status_code == 302


# -- Shown --------------------------------------------------------------------------------------


@pytest.fixture
def hostile(catalog: Catalog) -> Catalog:
    """The catalog with names in which something hides."""
    catalog.workspace.name, catalog.deployer.name = WORKSPACE, ACCOUNT
    catalog.deployer.grafana_role = "ADM\u200bIN"
    catalog.workspace.save()
    catalog.deployer.save()
    return catalog


@pytest.mark.parametrize("who", ["engineer", "lead", "admin"])
@pytest.mark.parametrize(
    "state", [State.ACTIVE, State.REVOKED, State.FAILED, State.REVOKING, State.AWAITING_APPROVAL]
)
def test_no_page_hides_anything_of_what_aws_and_old_rows_say(
    hostile: Catalog,
    make_token: Callable[..., Token],
    engineer: User,
    lead: User,
    sign_in: Callable[[User], Client],
    request: pytest.FixtureRequest,
    who: str,
    state: State,
) -> None:
    token = make_token(
        engineer,
        state=state,
        name=HIDDEN,
        reason=HIDDEN,
        expires_at=timezone.now(),
        end_reason=HIDDEN,
        error_code=HIDDEN,
        error_message=HIDDEN,
    )
    ListedToken.objects.create(
        service_account=hostile.deployer, aws_id="9", name=HIDDEN, drift=Drift.FOREIGN
    )
    with transaction.atomic():
        event = audit.record(
            Action.ACCESS_CHANGED,
            actor=acting(lead),
            token=token,
            reason=HIDDEN,
            subject=HIDDEN,
        )
        audit.record(
            Action.TOKEN_FAILED,
            actor=Actor(address="192.0.2.7", user_agent=HIDDEN),
            token=token,
            error_code=HIDDEN,
            reason=HIDDEN,
        )
    client = sign_in(request.getfixturevalue(who))
    places = 0
    for path in urls():
        if "export." in path:
            continue  # programs read them, to the letter
        address = PARAMETER.sub(lambda part: _value(part[1], path, token, event), path)  # noqa: B023
        answer: Any = client.get(address, {"workspace": hostile.workspace.aws_id})
        if answer.streaming:
            continue
        text = answer.content.decode()
        hidden = RAW.search(text)
        assert hidden is None, (address, text[max(0, hidden.start() - 200) : hidden.end() + 50])
        places += "obs[U+202E]erv[U+001B][31mability" in text
    assert places >= 3


def test_names_of_aws_are_set_apart(
    catalog: Catalog, make_token: Callable[..., Token], engineer: User, admin: User,
    sign_in: Callable[[User], Client],
) -> None:  # fmt: skip
    token = make_token(engineer, state=State.ACTIVE)
    with transaction.atomic():
        event = audit.record(Action.TOKEN_REVOKE_REQUESTED, actor=acting(engineer), token=token)
    client = sign_in(admin)
    for path in (
        f"/tokens/{token.pk}/",
        "/team/platform/",
        "/audit/",
        f"/audit/events/{event.seq}/",
        f"/audit/tokens/{token.pk}/",
    ):
        html = client.get(path).content.decode()
        assert "<bdi>observability</bdi>" in html, path
        assert "<bdi>deployer</bdi>" in html, path


def test_the_form_offers_names_with_everything_in_them_to_be_seen(
    hostile: Catalog, engineer: User, sign_in: Callable[[User], Client]
) -> None:
    hostile.deployer.name = "\u05d0\u05d1"
    hostile.deployer.save()
    html = sign_in(engineer).get("/tokens/new/?workspace=g-00000000a1").content.decode()
    assert ">obs[U+202E]erv[U+001B][31mability · g-00000000a1<" in html
    assert ">\u2068\u05d0\u05d1\u2069 · ADM[U+200B]IN<" in html


def test_a_mail_is_one_that_can_be_sent_whatever_aws_calls_things(
    hostile: Catalog,
    make_token: Callable[..., Token],
    engineer: User,
    lead: User,
) -> None:
    token = make_token(engineer, state=State.AWAITING_APPROVAL, reason=HIDDEN)
    with transaction.atomic():
        notify.tell(NoticeKind.APPROVAL_ASKED, token=token, to=[lead], by=engineer.email)
    assert mail(token.notices.get().pk)
    [sent] = outbox.outbox
    assert sent.subject.endswith("de[U+200B]plo[U+000D][U+000A]yer")
    assert "Workspace        obs[U+202E]erv[U+001B][31mability" in sent.body
    assert RAW.search(str(sent.body)) is None


def test_what_is_recorded_in_words_hides_nothing(
    hostile: Catalog, lead: User, platform: Team
) -> None:
    grant = Grant.objects.create(
        team=platform, workspace=hostile.workspace, service_account=hostile.deployer
    )
    assert grant.where == "obs[U+202E]erv[U+001B][31mability / de[U+200B]plo[U+000D][U+000A]yer"
    assert not AuditEvent.objects.exists()
