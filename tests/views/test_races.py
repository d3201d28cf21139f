"""Two leads at the same moment: one wins, and the other is told who did it."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from portal.models import AuditEvent, Membership, Role, State, Team, Token, User

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5


@pytest.fixture
def two_leads(lead: User, platform: Team, sign_in: Callable[[User], Client]) -> list[Client]:
    other = User.objects.create_user("second-lead@example.com")
    Membership.objects.create(user=other, team=platform, role=Role.LEAD)
    return [sign_in(lead), sign_in(other)]


def at_once(clients: list[Client], path: str, *fields: dict[str, Any]) -> list[Any]:
    """What each is answered when all post at the same moment."""
    answers: dict[int, Any] = {}
    start = threading.Barrier(len(clients))

    def post(number: int) -> None:
        start.wait()
        try:
            answers[number] = clients[number].post(path, fields[number % len(fields)])
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=[number]) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[number] for number in range(len(clients))]


def test_of_two_who_revoke_one_token_one_wins_and_the_other_is_told(
    two_leads: list[Client],
    make_token: Callable[..., Token],
    engineer: User,
    enqueued: list[tuple[str, str]],
) -> None:
    for number in range(ROUNDS):
        token = make_token(engineer, state=State.ACTIVE)
        answers = at_once(two_leads, f"/tokens/{token.pk}/revoke/", {"reason": "it leaked"})
        assert sorted(answer.status_code for answer in answers) == [302, 409]
        winner = AuditEvent.objects.get(token_id=token.pk).actor
        token.refresh_from_db()
        assert (token.state, token.ended_by) == (State.REVOKING, winner)
        late = next(answer for answer in answers if answer.status_code == 409)
        assert f"asked for by {winner}" in late.content.decode()
        assert len(enqueued) == number + 1


def test_of_two_who_end_the_same_twenty_each_token_ends_once(
    two_leads: list[Client],
    make_token: Callable[..., Token],
    engineer: User,
    enqueued: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("portal.flows.revoke.BATCH_SIZE", 4)
    tokens = [str(make_token(engineer, state=State.ACTIVE).pk) for _ in range(20)]
    answers = at_once(
        two_leads,
        "/team/platform/revoke/",
        {"token": tokens, "reason": "left"},
        {"token": tokens[::-1], "reason": "left"},
    )
    assert {answer.status_code for answer in answers} <= {302, 409}
    assert Counter(Token.objects.values_list("state", flat=True)) == {State.REVOKING: 20}
    assert sorted(str(event.token_id) for event in AuditEvent.objects.all()) == sorted(tokens)
    assert sorted(token for _, token in enqueued) == sorted(tokens)
    told = 0
    for client, answer in zip(two_leads, answers, strict=True):
        if answer.status_code == 302:
            told += client.get(answer.headers["Location"]).context["of"]
    assert told == 20


def test_of_one_who_ends_many_and_one_who_ends_one_of_them_both_are_told_the_truth(
    two_leads: list[Client],
    make_token: Callable[..., Token],
    engineer: User,
    enqueued: list[tuple[str, str]],
) -> None:
    tokens = [make_token(engineer, state=State.ACTIVE) for _ in range(6)]
    everything = {"person": engineer.email, "reason": "left"}
    one = {"token": [str(tokens[3].pk)], "reason": "it leaked"}
    many, single = at_once(two_leads, "/team/platform/revoke/", everything, one)
    assert many.status_code == 302
    page = two_leads[0].get(many.headers["Location"])
    winners = Counter(AuditEvent.objects.values_list("actor", flat=True))
    if single.status_code == 409:
        assert winners == {"lead@example.com": 6}
        assert b"lead@example.com asked for it" in single.content
    else:
        assert winners == {"lead@example.com": 5, "second-lead@example.com": 1}
        assert page.context["of"] == 5
