"""Where a key lies: written down, offered again, carried over, shown where an end is decided."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core import mail as outbox
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal import prints
from portal.flows.mail import mail
from portal.flows.note_place import MOST_PLACES
from portal.models import AuditEvent, Membership, State, Token, TokenPlace, User
from portal.models.token_places import suggested
from portal.scheduler import run_all as sweep
from tests.person import KeyPair
from tests.reading import words
from tests.views.conftest import KEY, Post

pytestmark = pytest.mark.django_db

PLACE = "GitHub acme/dash"


@pytest.fixture
def active(make_token: Callable[..., Token], engineer: User) -> Token:
    now = timezone.now()
    return make_token(
        engineer, name="ci", state=State.ACTIVE, issued_at=now, fingerprint="00ff01" + "0" * 58
    )


@pytest.fixture
def owner(engineer: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(engineer)


@pytest.fixture
def leader(lead: User, sign_in: Callable[[User], Client]) -> Client:
    return sign_in(lead)


def url(token: Token, action: str = "") -> str:
    return f"/tokens/{token.pk}/{action}"


def note(token: Token, by: User, *texts: str) -> None:
    for text in texts:
        TokenPlace.objects.create(token=token, team=token.team, text=text, by=by)


def written(token: Token) -> list[str]:
    return [one.text for one in token.places.all()]


def subjects(token: Token) -> list[str]:
    told = AuditEvent.objects.filter(token_id=token.pk, action="access.changed")
    return list(told.order_by("seq").values_list("subject", flat=True))


# -- Writing it down ------------------------------------------------------------------------------


def test_a_place_is_written_down_and_removed_on_the_tokens_page(
    active: Token, owner: Client, post: Post
) -> None:
    assert "Nobody has written it down yet" in owner.get(url(active)).content.decode()
    answer = post(owner, url(active, "places/"), place=f"  {PLACE} ")
    assert (answer.status_code, answer.headers["Location"]) == (302, url(active, "#places"))
    [place] = active.places.all()
    assert (place.text, place.by.email, place.team) == (PLACE, "engineer@example.com", active.team)
    assert PLACE in owner.get(url(active)).content.decode()
    post(owner, url(active, "places/"), place=PLACE)
    assert written(active) == [PLACE], "the same place twice is one"
    post(owner, url(active, "places/remove/"), place=PLACE)
    post(owner, url(active, "places/remove/"), place=PLACE)
    assert post(owner, url(active, "places/remove/"), place="\0").status_code == 302
    assert written(active) == []
    assert subjects(active) == [
        f"~ token ci: lives at {PLACE}",
        f"~ token ci: lives no more at {PLACE}",
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (KEY, "never put one here"),
        (f"at GLSA_{'k' * 32}", "the place alone, never the key"),
        ("laptop, glsa_", "the place alone, never the key"),
        ("x" * 81, "A place has at most 80 characters; this one has 81."),
        ("", "Write where the key lies"),
        ("a\u200blaptop", "nobody sees it"),
        ("\u0301", "Nothing of this can be seen"),
    ],
)
def test_what_is_no_place_is_refused_beside_its_field_and_kept_nowhere(
    active: Token, owner: Client, post: Post, text: str, why: str
) -> None:
    answer = post(owner, url(active, "places/"), place=text)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert why in page
    assert 'aria-describedby="place-help id_place_error"' in page
    assert written(active) == []
    assert subjects(active) == []


def test_a_script_is_told_so_in_json(active: Token, owner: Client) -> None:
    ask = {"accept": "application/json"}
    answer = owner.post(url(active, "places/"), {"place": "glsa_"}, headers=ask)
    assert answer.status_code == 422
    assert "never the key" in answer.json()["message"]
    answer = owner.post(url(active, "places/"), {"place": PLACE}, headers=ask)
    assert answer.json() == {"places": [PLACE]}
    answer = owner.post(url(active, "places/remove/"), {"place": PLACE}, headers=ask)
    assert answer.json() == {"places": []}


def test_a_token_has_a_bounded_number_of_places(
    active: Token, engineer: User, owner: Client, post: Post
) -> None:
    note(active, engineer, *(f"host-{n}" for n in range(MOST_PLACES)))
    answer = post(owner, url(active, "places/"), place="one more")
    assert answer.status_code == 422
    assert "at most 20 places" in answer.content.decode()
    assert "one more" not in written(active)


# -- Offered again --------------------------------------------------------------------------------


def test_what_the_person_and_then_their_team_used_before_is_offered_without_what_it_has(
    active: Token, make_token: Callable[..., Token], engineer: User, teammate: User, owner: Client
) -> None:
    other = make_token(teammate, state=State.ACTIVE)
    note(other, teammate, "eks-prod-7", PLACE)
    note(make_token(engineer, state=State.ACTIVE), engineer, "a laptop", "eks-prod-7")
    note(active, engineer, "a laptop")
    assert suggested(active, engineer, but=["a laptop"]) == ["eks-prod-7", PLACE]
    page = owner.get(url(active)).content.decode()
    assert f'<button class="chip" name="place" value="{PLACE}">' in page
    assert '<button class="chip" name="place" value="a laptop">' not in page


def test_nothing_of_another_team_is_offered(
    active: Token, make_token: Callable[..., Token], outsider: User, engineer: User
) -> None:
    note(make_token(outsider, state=State.ACTIVE), outsider, "their secret place")
    assert suggested(active, engineer) == []


# -- Carried over ---------------------------------------------------------------------------------


def test_a_renewal_carries_the_places_over_as_what_has_to_be_replaced(
    active: Token, engineer: User, owner: Client, post: Post, keys: KeyPair
) -> None:
    active.change(expires_at=timezone.now() + timedelta(days=3))
    note(active, engineer, PLACE, "eks-prod-7")
    form = owner.get(url(active, "reissue/")).content.decode()
    assert f"Has to be replaced at</strong> {PLACE}, eks-prod-7" in words(form)
    answer = post(
        owner,
        url(active, "reissue/"),
        mode="overlap",
        overlap="1h",
        recipient="me",
        lifetime="1h",
        public_key=keys.public,
    )
    assert answer.status_code == 302
    new = Token.objects.get(replaces=active)
    assert [(one.text, one.is_due) for one in new.places.all()] == [
        (PLACE, True),
        ("eks-prod-7", True),
    ]
    Token.objects.filter(pk=new.pk).update(state=State.ACTIVE, issued_at=timezone.now())
    page = owner.get(url(new)).content.decode()
    assert "Has to be replaced at" in page
    listed = owner.get("/tokens/").content.decode()
    assert f"to be replaced at {PLACE}, eks-prod-7</small>" in listed
    post(owner, url(new, "places/"), place=PLACE)
    listed = owner.get("/tokens/").content.decode()
    assert f">at {PLACE}</small>" in listed
    assert "to be replaced at eks-prod-7</small>" in listed
    again = owner.get(url(new, "reissue/")).content.decode()
    assert f"Has to be replaced at</strong> {PLACE}, eks-prod-7" in words(again)
    assert dict(new.places.values_list("text", "is_due")) == {PLACE: False, "eks-prod-7": True}
    assert subjects(new) == [f"~ token ci-2: has been replaced at {PLACE}"]
    assert written(active) == [PLACE, "eks-prod-7"], "the old key is still there"


# -- Shown ----------------------------------------------------------------------------------------


def test_places_and_print_stand_in_lists_and_where_an_end_is_decided(
    active: Token, engineer: User, owner: Client, leader: Client, post: Post
) -> None:
    note(active, engineer, PLACE, "<b>eks</b>")
    words = prints.of(active.fingerprint)
    at = f'<small class="lives-at">at {PLACE}, &lt;b&gt;eks&lt;/b&gt;</small>'
    for client, path in (
        (owner, "/tokens/"),
        (leader, "/team/platform/"),
    ):
        page = client.get(path).content.decode()
        assert at in page, path
        assert words in page, path
    preview = post(leader, "/team/platform/revoke/", token=str(active.pk), preview="1")
    assert at in preview.content.decode()
    page = owner.get(url(active)).content.decode()
    assert f"It lives at</strong> {PLACE}, &lt;b&gt;eks&lt;/b&gt;" in page
    assert f'<span data-testid="print">{words}</span>' in page
    assert owner.get(url(active, "print/")).json() == {"name": "ci", "print": words}


def test_they_stand_on_the_page_of_what_somebody_left(
    active: Token, engineer: User, teammate: User, leader: Client
) -> None:
    note(active, engineer, PLACE)
    Membership.objects.filter(user=engineer).delete()
    page = leader.get("/team/platform/hand-over/?person=engineer@example.com").content.decode()
    assert f"at {PLACE}" in page


def test_a_mail_says_where_the_token_lives(
    active: Token, engineer: User, leader: Client, post: Post
) -> None:
    note(active, engineer, PLACE, "a laptop")
    post(leader, url(active, "revoke/"), reason="no longer needed")
    for notice in sweep().mail:
        mail(notice)
    [message] = outbox.outbox
    assert f"  It lives at      {PLACE}, a laptop\n" in message.body


def test_a_spreadsheet_takes_no_place_for_a_formula(
    active: Token, owner: Client, admin: User, sign_in: Callable[[User], Client], post: Post
) -> None:
    post(owner, url(active, "places/"), place='=HYPERLINK("https://evil.example","x")')
    answer = sign_in(admin).get("/audit/export.csv")
    rows = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert "HYPERLINK" in rows
    assert ",=HYPERLINK" not in rows
    assert '"=HYPERLINK' not in rows


def test_a_list_asks_for_all_places_at_once(
    make_token: Callable[..., Token], engineer: User, owner: Client, leader: Client
) -> None:
    def asked(client: Client, path: str) -> int:
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        return len(queries)

    note(make_token(engineer, state=State.ACTIVE), engineer, "host")
    pages = ((owner, "/tokens/"), (leader, "/team/platform/"))
    before = [asked(client, path) for client, path in pages]
    for n in range(10):
        note(make_token(engineer, state=State.ACTIVE), engineer, f"host-{n}")
    assert [asked(client, path) for client, path in pages] == before


def test_a_page_that_waits_for_its_key_asks_nothing_of_places(
    make_token: Callable[..., Token], engineer: User, owner: Client
) -> None:
    token = make_token(engineer, state=State.QUEUED)
    with CaptureQueriesContext(connection) as queries:
        assert owner.get(url(token)).status_code == 200
    assert [one["sql"] for one in queries if "tokenplace" in one["sql"]] == []
