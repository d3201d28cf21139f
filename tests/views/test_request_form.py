"""The request form: what it refuses, and what it makes of a request that it takes."""

import base64
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.db import connection, connections
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from pytest_django import Settings

from portal.flows import request as request_flow
from portal.models import (
    AuditEvent,
    Grant,
    Membership,
    ServiceAccount,
    State,
    Team,
    Token,
    User,
    Workspace,
)
from portal.policy import Entitlement
from tests.conftest import Catalog
from tests.person import KeyPair
from tests.views.conftest import KEY, Post

pytestmark = pytest.mark.django_db

FORM = "/tokens/new/"
SMALL_KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key()
CURVE_KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
ODD_EXPONENT = rsa.RSAPublicNumbers(e=3, n=(1 << 3071) + 12345).public_key()
EVEN_MODULUS = rsa.RSAPublicNumbers(e=65537, n=(1 << 3071) + 12346).public_key()


def spki(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> str:
    return base64.b64encode(
        key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    ).decode()


@pytest.fixture
def browser(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


@pytest.fixture
def fields(catalog: Catalog, keys: KeyPair) -> dict[str, str]:
    """What a request that is granted says."""
    return {
        "workspace": catalog.workspace.aws_id,
        "service_account": catalog.deployer.aws_id,
        "name": "ci-deploy",
        "seconds_to_live": "3600",
        "reason": "deploys <dashboards> & more",
        "public_key": keys.public,
    }


def token_page(response: Any) -> str:
    """The id of the token whose page a request was sent to."""
    assert response.status_code == 302, response.content.decode()
    start, tokens, token_id, end = response.headers["Location"].split("/")
    assert (start, tokens, end) == ("", "tokens", "")
    return str(uuid.UUID(token_id))


# -- What it takes ------------------------------------------------------------------------------


def test_a_granted_request_is_queued_recorded_and_sent_to_a_worker(
    browser: Client,
    engineer: User,
    fields: dict[str, str],
    post: Post,
    enqueued: list[tuple[str, str]],
    catalog: Catalog,
    keys: KeyPair,
) -> None:
    token_id = token_page(post(browser, FORM, **fields))
    token = Token.objects.get()
    assert str(token.pk) == token_id
    assert (token.state, token.owner, token.team) == (State.QUEUED, engineer, engineer.teams.get())
    assert (token.workspace, token.service_account) == (catalog.workspace, catalog.deployer)
    assert (token.name, token.seconds_to_live) == ("ci-deploy", 3600)
    assert token.reason == "deploys <dashboards> & more"
    assert bytes(token.public_key) == base64.b64decode(keys.public)
    assert enqueued == [("portal.issue", token_id)]

    event = AuditEvent.objects.get()
    assert (event.action, event.outcome) == ("token.requested", "succeeded")
    assert (event.actor, event.address) == ("engineer@example.com", "192.0.2.7")
    assert event.user_agent == "a browser"
    assert (str(event.token_id), event.token_name) == (token_id, "ci-deploy")
    assert event.reason == "deploys <dashboards> & more"


@pytest.mark.django_db(transaction=True)
def test_the_worker_hears_of_it_after_the_commit(
    browser: Client, fields: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    open_transactions: list[bool] = []

    def send(*_: object) -> bool:
        open_transactions.append(connection.in_atomic_block)
        return True

    monkeypatch.setattr("portal.tasks._send", send)
    token_page(browser.post(FORM, fields))
    assert open_transactions == [False]


@pytest.mark.parametrize("name", ["x", "n" * 128, "Grüße – 名前 🙂", "<b>&amp;"])
def test_names_of_1_to_128_characters_of_any_script_are_taken(
    browser: Client, fields: dict[str, str], post: Post, name: str
) -> None:
    token_page(post(browser, FORM, **fields | {"name": name}))
    assert Token.objects.get().name == name


@pytest.mark.parametrize("seconds", ["1", "2592000", " 3600 ", "0060"])
def test_lifetimes_of_1_second_to_30_days_are_taken(
    browser: Client, fields: dict[str, str], post: Post, seconds: str
) -> None:
    token_page(post(browser, FORM, **fields | {"seconds_to_live": seconds}))
    assert Token.objects.get().seconds_to_live == int(seconds)


def test_sending_the_same_form_twice_is_one_request(
    browser: Client, fields: dict[str, str], post: Post, enqueued: list[tuple[str, str]]
) -> None:
    first = token_page(post(browser, FORM, **fields))
    assert token_page(post(browser, FORM, **fields)) == first
    assert (Token.objects.count(), AuditEvent.objects.count(), len(enqueued)) == (1, 1, 1)


@pytest.mark.parametrize(
    "other", [{"name": "another"}, {"seconds_to_live": "60", "name": "ci-2"}, {"reason": "x"}]
)
def test_the_same_browser_key_with_other_fields_is_another_request(
    browser: Client, fields: dict[str, str], post: Post, other: dict[str, str]
) -> None:
    first = token_page(post(browser, FORM, **fields))
    Token.objects.update(state=State.FAILED)
    assert token_page(post(browser, FORM, **fields | other)) != first
    assert Token.objects.count() == 2


# -- What it refuses ----------------------------------------------------------------------------

NAME_LENGTH = "at most 128 characters"
WHOLE_NUMBER = "Write how long"
LIFETIME = "1 second to 30 days"
WORKSPACE_ID = "“g-” and ten characters"
NO_WORKSPACE = "grant for this workspace"
NO_ACCOUNT = "grant for this service account"
NO_PUBLIC_KEY = "Your browser sent no public key"

REFUSED = [
    ("name", "", "Give the token a name"),
    ("name", "   ", "Give the token a name"),
    ("name", "n" * 129, NAME_LENGTH),
    ("name", "n" * 5000, NAME_LENGTH),
    ("name", "two\nlines", "U+000A line feed"),
    ("name", "bell\a", "U+0007 control character"),
    ("name", "\u200b", "U+200B zero width space"),
    ("name", "\u202egnp.exe", "U+202E right-to-left override"),
    ("name", "ci\u200d", "U+200D zero width joiner"),
    ("name", "\N{COMBINING ACUTE ACCENT}", "Nothing of this can be seen"),
    ("name", "\N{HANGUL FILLER}", "Nothing of this can be seen"),
    ("reason", "\u200b", "U+200B zero width space"),
    ("reason", "two\nlines", "U+000A line feed"),
    ("reason", "\ufe0f", "Nothing of this can be seen"),
    ("name", f"ci {KEY}", "looks like a key"),
    ("reason", f"instead of {KEY}", "looks like a key"),
    ("seconds_to_live", "", "Choose a lifetime"),
    ("seconds_to_live", " ", "Choose a lifetime"),
    ("seconds_to_live", "0", LIFETIME),
    ("seconds_to_live", "2592001", LIFETIME),
    ("seconds_to_live", "9" * 19, LIFETIME),
    ("seconds_to_live", "9" * 20, WHOLE_NUMBER),
    ("seconds_to_live", "9" * 5000, "at most 60 characters"),
    ("seconds_to_live", "1e3", WHOLE_NUMBER),
    ("seconds_to_live", "abc", WHOLE_NUMBER),
    ("seconds_to_live", "+5", WHOLE_NUMBER),
    ("seconds_to_live", "-5", WHOLE_NUMBER),
    ("seconds_to_live", "3600.0", WHOLE_NUMBER),
    ("seconds_to_live", "0x10", WHOLE_NUMBER),
    ("seconds_to_live", "1_000", WHOLE_NUMBER),
    ("seconds_to_live", "٣٦٠٠", WHOLE_NUMBER),
    ("seconds_to_live", "\N{FULLWIDTH DIGIT THREE}", WHOLE_NUMBER),
    ("workspace", "", "Choose a workspace"),
    ("workspace", "observability", WORKSPACE_ID),
    ("workspace", "g-00000000A1", WORKSPACE_ID),
    ("workspace", "g-00000000a", WORKSPACE_ID),
    ("workspace", "../g-00000000a1", WORKSPACE_ID),
    ("workspace", "g-00000000b2", NO_WORKSPACE),
    ("workspace", "g-ffffffffff", NO_WORKSPACE),
    ("service_account", "", "Choose a service account"),
    ("service_account", "99", NO_ACCOUNT),
    ("service_account", "2/../3", NO_ACCOUNT),
    ("team", "mobile", "This team of yours has no grant"),
    ("reason", "r" * 501, "at most 500 characters"),
    ("public_key", "", NO_PUBLIC_KEY),
    ("public_key", "!", "not base64"),
    ("public_key", "AAAA", "not a DER SubjectPublicKeyInfo"),
    ("public_key", "A" * 5000, "too long"),
    ("public_key", spki(CURVE_KEY), "not an RSA key"),
    ("public_key", spki(SMALL_KEY), "has 1024 bits; 3072 to 4096 are accepted"),
    ("public_key", spki(ODD_EXPONENT), "exponent is not 65537"),
    ("public_key", spki(EVEN_MODULUS), "weak: its modulus is even"),
]


def assert_refused(response: Any, sent: dict[str, str], field: str, message: str) -> None:
    """422, the message beside its field and nothing typed lost; and nothing has happened."""
    assert response.status_code == 422
    html = response.content.decode()
    errors: dict[str, list[str]] = response.context["form"].errors
    assert list(errors) == [field]
    assert message in errors[field][0]
    assert escape(errors[field][0]) in html
    for name, typed in sent.items():
        if name != "public_key" and typed.strip():
            assert escape(typed) in html, f"what was typed as {name} is lost"
    if "public_key" in sent:
        assert sent["public_key"] not in html or len(sent["public_key"]) < 5
    assert not Token.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    ("field", "typed", "message"), REFUSED, ids=[f"{f}={t[:20]!r}" for f, t, _ in REFUSED]
)
def test_bad_input_is_refused_beside_its_field_and_nothing_is_lost(
    browser: Client,
    fields: dict[str, str],
    post: Post,
    enqueued: list[tuple[str, str]],
    field: str,
    typed: str,
    message: str,
) -> None:
    sent = fields | {field: typed}
    assert_refused(post(browser, FORM, **sent), sent, field, message)
    assert enqueued == []


@pytest.mark.parametrize("field", ["workspace", "service_account", "name", "seconds_to_live"])
def test_a_missing_field_is_refused(
    browser: Client, fields: dict[str, str], post: Post, field: str
) -> None:
    del fields[field]
    response = post(browser, FORM, **fields)
    assert response.status_code == 422
    assert field in response.context["form"].errors
    assert not Token.objects.exists()


def test_several_mistakes_are_all_named(
    browser: Client, fields: dict[str, str], post: Post
) -> None:
    response = post(browser, FORM, **fields | {"name": "", "seconds_to_live": "soon"})
    html = response.content.decode()
    assert response.status_code == 422
    assert "Give the token a name." in html
    assert WHOLE_NUMBER in html


def _account(**changes: Any) -> Callable[[ServiceAccount], None]:
    def change(account: ServiceAccount) -> None:
        ServiceAccount.objects.filter(pk=account.pk).update(**changes)

    return change


def _workspace(**changes: Any) -> Callable[[ServiceAccount], None]:
    def change(account: ServiceAccount) -> None:
        Workspace.objects.filter(pk=account.workspace_id).update(**changes)

    return change


def _grant(**changes: Any) -> Callable[[ServiceAccount], None]:
    def change(account: ServiceAccount) -> None:
        Grant.objects.filter(workspace=account.workspace).update(**changes)

    return change


def _grant_only_another(account: ServiceAccount) -> None:
    other = account.workspace.service_accounts.exclude(pk=account.pk).get()
    Grant.objects.filter(team__slug="platform").update(service_account=other)


def _gone(account: ServiceAccount) -> None:
    """The workspace is gone, though not the last that the team is granted."""
    other = Workspace.objects.exclude(pk=account.workspace_id).get()
    Grant.objects.create(team=Team.objects.get(slug="platform"), workspace=other)
    _workspace(gone_at=timezone.now())(account)


UNUSABLE = {
    "disabled account": (_account(is_disabled=True), "service_account", "disabled in Grafana"),
    "another account is granted": (_grant_only_another, "service_account", NO_ACCOUNT),
    "workspace is being deleted": (
        _workspace(status="DELETING"),
        "service_account",
        "its status is DELETING",
    ),
    "Grafana 8": (_workspace(grafana_version="8.4"), "service_account", "tokens need version 9"),
    "workspace is gone": (_gone, "workspace", NO_WORKSPACE),
    "over the team's maximum": (
        _grant(max_ttl=3599, default_ttl=60),
        "seconds_to_live",
        "at most 59 minutes 59 seconds",
    ),
}


@pytest.mark.parametrize(("change", "field", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_may_not_be_used_is_refused(
    browser: Client,
    fields: dict[str, str],
    post: Post,
    enqueued: list[tuple[str, str]],
    catalog: Catalog,
    change: Callable[[ServiceAccount], None],
    field: str,
    message: str,
) -> None:
    change(catalog.deployer)
    assert_refused(post(browser, FORM, **fields), fields, field, message)
    assert enqueued == []


def test_a_reason_is_asked_for_where_the_policy_wants_one(
    browser: Client, fields: dict[str, str], post: Post
) -> None:
    Grant.objects.update(reason_required=True)
    without = fields | {"reason": "  "}
    assert_refused(post(browser, FORM, **without), without, "reason", "Say what the token is for")
    token_page(post(browser, FORM, **fields))


def test_an_account_of_another_team_is_refused(
    outsider: User, sign_in: Callable[[User], Client], fields: dict[str, str], post: Post
) -> None:
    assert_refused(post(sign_in(outsider), FORM, **fields), fields, "workspace", NO_WORKSPACE)


def test_a_name_in_use_is_refused(
    browser: Client,
    engineer: User,
    fields: dict[str, str],
    post: Post,
    enqueued: list[tuple[str, str]],
    make_token: Callable[..., Token],
) -> None:
    make_token(engineer, name="ci-deploy", state=State.ACTIVE)
    response = post(browser, FORM, **fields | {"seconds_to_live": "60"})
    assert response.status_code == 422
    message = "The name “ci-deploy” is in use in this workspace. Choose another."
    assert response.context["form"].errors == {"name": [message]}
    assert message in response.content.decode()
    assert (Token.objects.count(), enqueued) == (1, [])


def test_a_name_is_free_again_after_its_token_has_ended(
    browser: Client,
    engineer: User,
    fields: dict[str, str],
    post: Post,
    make_token: Callable[..., Token],
) -> None:
    ended = make_token(engineer, name="ci-deploy", state=State.REVOKED, reason="another")
    assert token_page(post(browser, FORM, **fields)) != str(ended.pk)


# -- At the same time ---------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Post two forms so that both pass the check for a free name before either is written."""
    check = request_flow.check
    both_have_checked = threading.Barrier(2, timeout=10)

    def checked(*arguments: Any) -> Entitlement:
        choice = check(*arguments)
        both_have_checked.wait()
        return choice

    monkeypatch.setattr(request_flow, "check", checked)

    def at_once(*posts: tuple[Client, dict[str, str]]) -> list[Any]:
        responses: list[Any] = []

        def send(client: Client, fields: dict[str, str]) -> None:
            responses.append(client.post(FORM, fields))
            connections.close_all()

        threads = [threading.Thread(target=send, args=one) for one in posts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return responses

    return at_once


@pytest.mark.django_db(transaction=True)
def test_of_two_people_who_want_one_name_at_once_one_gets_it(
    engineer: User,
    teammate: User,
    sign_in: Callable[[User], Client],
    fields: dict[str, str],
    enqueued: list[tuple[str, str]],
    at_once: Callable[..., list[Any]],
) -> None:
    theirs = fields | {"public_key": KeyPair().public}
    responses = at_once((sign_in(engineer), fields), (sign_in(teammate), theirs))
    assert sorted(response.status_code for response in responses) == [302, 422]
    [refused] = [response for response in responses if response.status_code == 422]
    assert list(refused.context["form"].errors) == ["name"]
    assert (Token.objects.count(), AuditEvent.objects.count(), len(enqueued)) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_of_many_requests_for_a_grants_last_place_one_gets_it(
    engineer: User,
    teammate: User,
    platform: Team,
    sign_in: Callable[[User], Client],
    fields: dict[str, str],
    enqueued: list[tuple[str, str]],
    at_once: Callable[..., list[Any]],
) -> None:
    Grant.objects.filter(team=platform).update(max_live=1)
    people = [sign_in(engineer), sign_in(teammate)] * 3
    asked = [(client, fields | {"name": f"ci-{n}"}) for n, client in enumerate(people)]
    responses = at_once(*asked)
    assert sorted(response.status_code for response in responses) == [302] + [422] * 5
    assert (Token.objects.count(), len(enqueued)) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_a_double_click_that_arrives_at_once_is_one_request(
    engineer: User,
    sign_in: Callable[[User], Client],
    fields: dict[str, str],
    enqueued: list[tuple[str, str]],
    at_once: Callable[..., list[Any]],
) -> None:
    first, second = at_once((sign_in(engineer), fields), (sign_in(engineer), fields))
    assert token_page(first) == token_page(second)
    assert (Token.objects.count(), AuditEvent.objects.count(), len(enqueued)) == (1, 1, 1)


# -- Several teams ------------------------------------------------------------------------------


@pytest.fixture
def two_teams(engineer: User, mobile: Team, catalog: Catalog) -> None:
    """Both teams of the engineer are granted the workspace."""
    Membership.objects.create(user=engineer, team=mobile)
    Grant.objects.create(team=mobile, workspace=catalog.workspace, max_ttl=60, default_ttl=60)


@pytest.mark.usefixtures("two_teams")
def test_with_several_teams_one_must_be_chosen(
    browser: Client, fields: dict[str, str], post: Post
) -> None:
    response = post(browser, FORM, **fields)
    assert_refused(response, fields, "team", "Several of your teams have this account")
    html = response.content.decode()
    assert '<option value="mobile"' in html
    assert '<option value="platform"' in html


@pytest.mark.usefixtures("two_teams")
def test_the_chosen_team_owns_the_token_and_its_limits_hold(
    browser: Client, fields: dict[str, str], post: Post
) -> None:
    chosen = fields | {"team": "mobile"}
    refused = post(browser, FORM, **chosen)
    assert_refused(refused, chosen, "seconds_to_live", "at most 1 minute")
    token_page(post(browser, FORM, **chosen | {"seconds_to_live": "60"}))
    assert Token.objects.get().team.slug == "mobile"


# -- The page itself ----------------------------------------------------------------------------


def test_a_link_fills_the_form_in(browser: Client, fields: dict[str, str]) -> None:
    del fields["public_key"]
    response = browser.get(FORM, fields)
    html = response.content.decode()
    assert response.status_code == 200
    assert f'<option value="{fields["workspace"]}" selected>' in html
    assert f'<option value="{fields["service_account"]}" selected>' in html
    assert 'value="ci-deploy"' in html
    assert 'value="3600"' in html
    assert escape(fields["reason"]) in html
    assert 'role="alert" tabindex="-1"' not in html, "nothing was sent, so nothing is wrong"


def test_a_link_never_carries_a_public_key(browser: Client, catalog: Catalog) -> None:
    response = browser.get(FORM, {"public_key": "c2VjcmV0", "fingerprint": "c2VjcmV0"})
    assert response.status_code == 200
    assert "c2VjcmV0" not in response.content.decode()


def test_what_a_link_says_is_escaped(browser: Client, catalog: Catalog) -> None:
    for field in ("workspace", "service_account", "name", "seconds_to_live", "reason", "team"):
        html = browser.get(FORM, {field: '"><script>x()</script>'}).content.decode()
        assert "<script>x()" not in html


def test_the_form_offers_what_is_granted_and_nothing_else(
    browser: Client, catalog: Catalog
) -> None:
    html = browser.get(FORM).content.decode()
    assert catalog.workspace.aws_id in html
    assert "provisioner" in html
    assert catalog.mobile_account.workspace.aws_id not in html
    assert catalog.mobile_account.workspace.name not in html


def test_the_form_suggests_a_free_name_that_nobody_can_guess(
    browser: Client, catalog: Catalog
) -> None:
    names = {browser.get(FORM).context["form"]["name"].value() for _ in range(3)}
    assert len(names) == 3
    assert all(name.startswith("engineer-") for name in names)


def test_without_any_grant_the_page_says_so(browser: Client, platform: Team) -> None:
    response = browser.get(FORM)
    assert response.status_code == 200
    assert 'data-testid="request-form"' not in response.content.decode()


def test_a_suspended_grant_is_not_offered_and_the_answer_says_why(
    browser: Client, fields: dict[str, str], post: Post, catalog: Catalog, platform: Team
) -> None:
    Grant.objects.create(
        team=platform,
        workspace=catalog.workspace,
        service_account=catalog.deployer,
        suspended_at=timezone.now(),
        suspended_reason="The service account was renamed from ci to deployer.",
    )
    chosen = browser.get(FORM).context["catalog"].chosen
    assert [account["name"] for account in chosen["accounts"]] == ["provisioner"]
    answer = post(browser, FORM, **fields)
    assert answer.status_code == 422
    [said] = answer.context["form"].errors["service_account"]
    assert said == (
        "The grant of team Platform for this service account is suspended until an admin "
        "confirms it. The service account was renamed from ci to deployer."
    )


def offered(browser: Client) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the form says about the workspace, and about the team's grant for its first account."""
    chosen = browser.get(FORM).context["catalog"].chosen
    return chosen["workspace"], chosen["accounts"][0]["teams"][0]


def test_the_form_says_beforehand_how_much_of_the_limits_is_used(
    browser: Client,
    engineer: User,
    teammate: User,
    platform: Team,
    make_token: Callable[..., Token],
) -> None:
    for owner in (engineer, teammate):
        make_token(owner, state=State.ACTIVE)
    make_token(teammate, state=State.EXPIRED, may_exist_at_aws=True)
    workspace, grant = offered(browser)
    assert workspace["room"] == ("3 of 100 tokens used, 1 of them expired and being cleaned up.")
    assert (grant["room"], grant["limit_reached"]) == ("", "")
    Grant.objects.filter(team=platform).update(max_live=20, max_live_per_person=5)
    _, grant = offered(browser)
    assert grant["room"] == (
        "Live tokens under this grant: team Platform has 2 of at most 20, you have 1 of at most 5."
    )
    Grant.objects.filter(team=platform).update(max_live=2)
    _, grant = offered(browser)
    assert grant["limit_reached"].startswith("Team Platform has 2 live or requested tokens")


def test_the_form_says_beforehand_that_a_workspace_is_full(
    browser: Client,
    engineer: User,
    fields: dict[str, str],
    post: Post,
    make_token: Callable[..., Token],
    settings: Settings,
) -> None:
    settings.TOKEN_QUOTA = 1
    make_token(engineer, state=State.ACTIVE)
    [workspace] = browser.get(FORM).context["catalog"].workspaces
    assert workspace["obstacle"].startswith("This workspace is full: 1 of 1 tokens are used.")
    answer = post(browser, FORM, **fields)
    assert answer.status_code == 422
    [error] = answer.context["form"].errors["workspace"]
    assert error.startswith("This workspace is full: 1 of 1 tokens are used.")


def test_a_limit_counts_the_tokens_under_its_own_grant_alone(
    browser: Client,
    engineer: User,
    platform: Team,
    catalog: Catalog,
    make_token: Callable[..., Token],
) -> None:
    Grant.objects.filter(team=platform).update(max_live=20)
    own = {"workspace": catalog.workspace, "service_account": catalog.admin_account}
    Grant.objects.create(team=platform, max_live=3, **own)
    for account in (catalog.deployer, catalog.deployer, catalog.admin_account):
        make_token(engineer, service_account=account)
    chosen = browser.get(FORM).context["catalog"].chosen
    said = {one["name"]: one["teams"][0]["room"] for one in chosen["accounts"]}
    assert said["deployer"].endswith("team Platform has 2 of at most 20.")
    assert said["provisioner"].endswith("team Platform has 1 of at most 3.")


def test_a_form_without_the_csrf_token_is_refused(
    engineer: User, fields: dict[str, str], enqueued: list[tuple[str, str]]
) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(engineer)
    response = client.post(FORM, fields)
    assert response.status_code == 403
    assert "This form is too old" in response.content.decode()
    assert not Token.objects.exists()
