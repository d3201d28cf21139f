"""A team's desk: what it shows, to whom, and how few questions that takes."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from portal.models import Membership, Role, State, Team, Token, User
from portal.models.flags import Flag
from tests.conftest import Catalog
from tests.reading import words

pytestmark = pytest.mark.django_db

DESK = "/team/platform/"
MOST_QUERIES = 25
DAY, WEEK = timedelta(days=1), timedelta(days=7)


@pytest.fixture
def as_lead(lead: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(lead)


@pytest.fixture
def active(make_token: Callable[..., Token]) -> Callable[..., Token]:
    """A token about which nothing stands out."""

    def make(owner: User, **fields: object) -> Token:
        values = {
            "state": State.ACTIVE,
            "seconds_to_live": 30 * 86_400,
            "expires_at": timezone.now() + timedelta(days=20),
            "delivered_at": timezone.now() - timedelta(days=10),
            "last_used_at": timezone.now() - timedelta(hours=1),
        }
        return make_token(owner, **(values | fields))

    return make


def names(client: Client, query: str = "", part: str = "page") -> list[str]:
    """The tokens that a part of the desk lists, in its order."""
    answer = client.get(f"{DESK}?{query}")
    assert answer.status_code == 200
    return [token.name for token in answer.context[part]]


# -- Which desk ---------------------------------------------------------------------------------


def test_who_has_one_team_comes_to_its_desk(as_lead: Client) -> None:
    answer = as_lead.get("/team/")
    assert (answer.status_code, answer.headers["Location"]) == (302, DESK)


def test_who_has_several_teams_chooses(as_lead: Client, lead: User, mobile: Team) -> None:
    Membership.objects.create(user=lead, team=mobile)
    page = as_lead.get("/team/").content.decode()
    assert 'href="/team/platform/"' in page
    assert 'href="/team/mobile/"' in page


def test_who_has_no_team_is_told_how_to_come_into_one(sign_in: Callable[[User], Client]) -> None:
    client = sign_in(User.objects.create_user("new@example.com"))
    answer = client.get("/team/")
    assert answer.status_code == 200
    assert b"You are in no team" in answer.content
    assert b'href="/team/"' not in answer.content, "and nothing leads there"


def test_an_admin_finds_every_team_and_holds_the_desk_of_a_closed_one(
    admin: User, lead: User, platform: Team, mobile: Team, sign_in: Callable[[User], Client]
) -> None:
    Team.objects.filter(pk=platform.pk).update(closed_at=timezone.now())
    page = sign_in(admin).get("/team/").content.decode()
    assert page.index("Closed teams") < page.index('href="/team/platform/"')
    assert 'href="/team/mobile/"' in page
    assert sign_in(admin).get(DESK).context["may_manage"]
    assert sign_in(lead).get(DESK).status_code == 404


def test_a_member_reads_the_desk_and_finds_nothing_to_press(
    active: Callable[..., Token], engineer: User, teammate: User, sign_in: Callable[[User], Client]
) -> None:
    token = active(teammate)
    page = sign_in(engineer).get(DESK).content.decode()
    assert token.name in page
    assert 'type="checkbox"' not in page
    assert "Revoke the chosen" not in page


# -- What it lists ------------------------------------------------------------------------------


def test_what_exists_comes_first_and_of_that_what_ends_first(
    active: Callable[..., Token], make_token: Callable[..., Token], engineer: User, as_lead: Client
) -> None:
    make_token(engineer, name="waits", state=State.QUEUED)
    active(engineer, name="later", expires_at=timezone.now() + WEEK)
    active(engineer, name="sooner", expires_at=timezone.now() + DAY)
    assert names(as_lead) == ["sooner", "later", "waits"]


def test_what_ended_in_the_last_thirty_days_comes_below(
    make_token: Callable[..., Token], engineer: User, as_lead: Client
) -> None:
    now = timezone.now()
    for name, state, days in (
        ("long-ago", State.REVOKED, 31),
        ("earlier", State.FAILED, 29),
        ("lately", State.EXPIRED, 1),
    ):
        make_token(engineer, name=name, state=state, state_at=now - timedelta(days=days))
    assert (names(as_lead), names(as_lead, part="ended")) == ([], ["lately", "earlier"])


def test_another_teams_tokens_are_not_there(
    active: Callable[..., Token], outsider: User, catalog: Catalog, as_lead: Client
) -> None:
    active(outsider, name="theirs", service_account=catalog.mobile_account)
    assert names(as_lead) == []


NEWS: list[tuple[str, Flag, dict[str, object]]] = [
    ("month-a-week-before", Flag.ENDS_SOON, {"expires_at": WEEK - timedelta(minutes=1)}),
    (
        "week-a-day-before",
        Flag.ENDS_SOON,
        {"expires_at": DAY - DAY / 24, "seconds_to_live": 604800},
    ),
    ("unused", Flag.NEVER_USED, {"last_used_at": None}),
    ("left-lying", Flag.NOT_COLLECTED, {"state": State.SEALED}),
    ("refused", Flag.REFUSED, {"state": State.REVOKING, "error_code": "AccessDeniedException"}),
]
NO_NEWS: list[tuple[str, dict[str, object]]] = [
    ("nothing", {}),
    ("a-week-and-more", {"expires_at": WEEK + timedelta(minutes=1)}),
    ("week-two-days-before", {"expires_at": 2 * DAY, "seconds_to_live": 604_800}),
    ("hour", {"expires_at": DAY / 24, "seconds_to_live": 3_600}),
    ("just-delivered", {"last_used_at": None, "delivered_at": timedelta(hours=-1)}),
    ("on-its-way-out", {"state": State.REVOKING}),
]


@pytest.mark.parametrize(
    ("name", "flags", "fields"),
    [(name, [flag], fields) for name, flag, fields in NEWS]
    + [(name, [], fields) for name, fields in NO_NEWS],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_stands_out_about_a_token(
    active: Callable[..., Token],
    engineer: User,
    as_lead: Client,
    name: str,
    flags: list[Flag],
    fields: dict[str, object],
) -> None:
    now = timezone.now()
    moments = {key: now + value for key, value in fields.items() if isinstance(value, timedelta)}
    active(engineer, name=name, **(fields | moments))
    answer = as_lead.get(DESK)
    [token] = answer.context["page"]
    assert [flag for flag in Flag if getattr(token, flag.column)] == flags
    assert answer.context["flags"] == [(flag, 1) for flag in flags]
    assert [name] * len(flags) == [
        found for flag in flags for found in names(as_lead, f"flag={flag}")
    ]


@pytest.mark.parametrize("how", ["removed", "closed", "moved"])
def test_who_left_stands_out_with_what_they_left_behind(
    active: Callable[..., Token],
    make_token: Callable[..., Token],
    engineer: User,
    teammate: User,
    mobile: Team,
    as_lead: Client,
    how: str,
) -> None:
    for token in ("a", "b"):
        active(engineer, name=token)
    make_token(engineer, name="gone", state=State.REVOKED)
    active(teammate, name="stays")
    if how == "closed":
        engineer.is_active = False
        engineer.save()
    else:
        engineer.memberships.all().delete()
    if how == "moved":
        Membership.objects.create(user=engineer, team=mobile, role=Role.LEAD)
    answer = as_lead.get(DESK)
    assert answer.context["left_behind"] == [(engineer, 2)]
    page = answer.content.decode()
    assert "1 person left the team</strong>, 2 tokens of theirs have not ended" in words(page)
    assert page.count("Revoke those of engineer@example.com…") == 1
    assert sorted(names(as_lead, "flag=owner-left")) == ["a", "b"]


def test_a_revocation_that_aws_refuses_says_so(
    make_token: Callable[..., Token], engineer: User, as_lead: Client
) -> None:
    make_token(engineer, state=State.REVOKING, error_code="AccessDeniedException")
    page = as_lead.get(DESK).content.decode()
    assert "not deleted by AWS" in page
    assert "AccessDeniedException" in page


# -- Search and filters -------------------------------------------------------------------------


@pytest.fixture
def several(
    active: Callable[..., Token], engineer: User, teammate: User, catalog: Catalog
) -> dict[str, Token]:
    return {
        "deploy": active(engineer, name="deploy", aws_token_id="4711", reason="the nightly job"),
        "wall": active(teammate, name="wall", service_account=catalog.admin_account),
        "old": active(teammate, name="old", state=State.REVOKED),
    }


@pytest.mark.parametrize(
    ("query", "live", "ended"),
    [
        ("", ["deploy", "wall"], ["old"]),
        ("q=EPLO", ["deploy"], []),
        ("q=4711", ["deploy"], []),
        ("q=nightly", ["deploy"], []),
        ("q=teammate", ["wall"], ["old"]),
        ("q=%25", [], []),
        ("person=engineer@example.com", ["deploy"], []),
        ("person=stranger@example.com", ["deploy", "wall"], ["old"]),
        ("state=revoked", [], ["old"]),
        ("state=nonsense&account=x&flag=y&page=z&q=%00", ["deploy", "wall"], ["old"]),
        ("person=teammate@example.com&state=active", ["wall"], []),
    ],
)
def test_search_and_filters(
    several: dict[str, Token], as_lead: Client, query: str, live: list[str], ended: list[str]
) -> None:
    assert sorted(names(as_lead, query)) == live
    assert names(as_lead, query, "ended") == ended


def test_the_filter_by_account(
    several: dict[str, Token], as_lead: Client, catalog: Catalog
) -> None:
    assert names(as_lead, f"account={catalog.admin_account.pk}") == ["wall"]


@pytest.fixture
def two_thousand(active: Callable[..., Token], engineer: User, teammate: User) -> None:
    """A team with 2,000 live tokens that end at the same time, and as many that have ended."""
    one = active(teammate)
    kept = {
        field.attname: getattr(one, field.attname)
        for field in Token._meta.concrete_fields
        if field.attname not in ("id", "name", "owner_id", "created_at", "state", "state_at")
    }
    Token.objects.bulk_create(
        Token(**kept, owner=(engineer, teammate)[n % 2], name=f"ci-{n:04}", state=state)
        for state, numbers in ((State.ACTIVE, range(1_999)), (State.REVOKED, range(2_000)))
        for n in numbers
    )


@pytest.mark.usefixtures("two_thousand")
def test_two_thousand_tokens_take_as_few_questions_as_two(
    engineer: User, as_lead: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    engineer.memberships.all().delete()
    for query in ("", "page=3&q=ci-", "ended=after-0-x"):
        with django_assert_max_num_queries(MOST_QUERIES):
            answer = as_lead.get(f"{DESK}?{query}")
        assert len(answer.context["page"].object_list) == 50
        assert answer.context["left_behind"] == [(engineer, 1_000)]
        assert (Flag.OWNER_LEFT, 1_000) in answer.context["flags"]
    assert (answer.context["count"], answer.context["ended_count"]) == (
        "2,000",
        "more than 1,000",
    )
    assert as_lead.get(f"{DESK}?q=ci-").context["count"] == "more than 1,000"
    assert as_lead.get(f"{DESK}?q=ci-00").context["count"] == "100"


@pytest.mark.usefixtures("two_thousand")
def test_a_large_team_is_not_on_the_page_and_is_found_by_typing(
    as_lead: Client, platform: Team, engineer: User
) -> None:
    people = User.objects.bulk_create(User(email=f"p{n:03}@example.com") for n in range(300))
    Membership.objects.bulk_create(Membership(user=one, team=platform) for one in people)
    html = as_lead.get(f"{DESK}?person=p299@example.com").content.decode()
    assert html.count("@example.com</option>") == 101, "a hundred, and who is asked for"
    assert 'data-options-url="/team/platform/people/"' in html
    assert 'data-options-url="/team/platform/accounts/"' not in html
    found = as_lead.get("/team/platform/people/", {"q": "P29"}).json()
    assert [one["value"] for one in found["options"]] == [f"p29{n}@example.com" for n in range(10)]
    assert not found["is_cut"]
    assert as_lead.get("/team/platform/people/").json()["is_cut"]


def test_accounts_are_found_by_their_name_or_their_workspaces(
    several: dict[str, Token], as_lead: Client, catalog: Catalog
) -> None:
    for text, names_found in (
        ("DEPL", ["observability / deployer"]),
        ("vability", ["observability / deployer", "observability / provisioner"]),
        ("app", []),
        ("\0", ["observability / deployer", "observability / provisioner"]),
    ):
        found = as_lead.get("/team/platform/accounts/", {"q": text}).json()
        assert [one["label"] for one in found["options"]] == names_found


def test_who_left_and_has_only_what_has_ended_is_found_by_a_link(
    make_token: Callable[..., Token], engineer: User, as_lead: Client
) -> None:
    make_token(engineer, name="ended", state=State.REVOKED)
    make_token(engineer, name="other", state=State.REVOKED, reason="x")
    engineer.memberships.all().delete()
    html = as_lead.get(f"{DESK}?person={engineer.email}").content.decode()
    assert f'<option value="{engineer.email}" selected>' in html
    assert names(as_lead, f"person={engineer.email}&q=ended", "ended") == ["ended"]


def test_of_many_requests_those_that_waited_longest_are_answered_first(
    make_token: Callable[..., Token], engineer: User, as_lead: Client
) -> None:
    now = timezone.now()
    for number in range(30):
        make_token(
            engineer,
            name=f"n{number:02}",
            state=State.AWAITING_APPROVAL,
            created_at=now - timedelta(hours=30 - number),
        )
    answer = as_lead.get(DESK)
    assert [one.name for one in answer.context["approvals"]] == [f"n{n:02}" for n in range(25)]
    assert answer.context["approvals_count"] == 30
    assert b"The 25 that have waited longest." in answer.content
    assert len(names(as_lead, "state=awaiting_approval")) == 30
