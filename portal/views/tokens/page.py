"""A token's page: its progress, then its key once for its recipient, then its record."""

import uuid
from datetime import timedelta
from typing import Any

from django.db.models import Max, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal import lifetimes, policy, prints, requester
from portal.flows.give_notice import LONGEST
from portal.flows.look_for_use import waits_for_first_use
from portal.flows.remind import PAUSE
from portal.models import Notice, NoticeKind, State, Token, User
from portal.models.states import AWAITING_PEOPLE
from portal.models.token_places import suggested
from portal.templatetags.lists import lives_at
from portal.text import without_unseen
from portal.views.compression import compressed
from portal.views.tokens import explain, new
from portal.views.tokens.find import visible_token
from portal.views.tokens.tried import tried

NOTICE = 1_800
NOTICES = [(lifetimes.written(one), lifetimes.in_words(one)) for one in (NOTICE, 7_200, 86_400)]
"""Seconds."""


@require_safe
def detail(request: HttpRequest, token_id: uuid.UUID) -> HttpResponseBase:
    """The token's page, with what the person may do to it."""
    token = visible_token(request, token_id)
    shown = page(request, token)
    # Nobody waits for a key while the others are compressed.
    return shown if token.waits_for_key else compressed(request, shown)


def page(request: HttpRequest, token: Token, *, status: int = 200, **more: Any) -> HttpResponse:
    """The token's page; ``more`` are the forms that were sent from it, and what they met."""
    user = requester.person(request)
    is_recipient = policy.may_receive(user, token)
    may_revoke = policy.is_revocable(token) and policy.may_revoke(user, token)
    may_hand_over = token.state in policy.CAN_BE_HANDED_OVER and policy.may_hand_over(user, token)
    replacements = _replacements(token)
    offer = policy.offered(token) if token.state in policy.CAN_BE_HANDED_OVER else None
    return render(
        request,
        "tokens/detail.html",
        {
            "token": token,
            "message": explain.message(token),
            "trouble": explain.error(token),
            "is_recipient": is_recipient,
            "tried": tried(token.smoke_test),
            "quiet": policy.quiet_of(token),
            "may_revoke": may_revoke,
            "may_cancel": policy.is_cancellable(token) and policy.may_revoke(user, token),
            "may_answer": token.state == State.AWAITING_APPROVAL
            and policy.may_approve(user, token),
            "may_undo": token.state == State.AWAITING_RECIPIENT
            and bool(token.approved_by)
            and policy.may_approve(user, token),
            "overlap": policy.overlap_of(token)
            if token.state == State.AWAITING_RECIPIENT
            else None,
            "may_collect": is_recipient and token.state == State.AWAITING_RECIPIENT,
            "may_reissue": may_revoke
            and token.is_open
            and policy.may_reissue(user, token)
            and not any(one.holds_place for one in replacements),
            "may_describe": policy.may_describe(user, token),
            "notices": NOTICES,
            "longest_notice": LONGEST,
            "may_keep": token.is_under_notice and policy.may_keep(user, token),
            "uses": without_unseen(token.reason),
            "print_command": prints.command(),
            **_places(token, user),
            **_landed(token, user),
            "may_try_again": is_recipient
            and not token.waits_for_key
            and token.state not in AWAITING_PEOPLE,
            "key_known_to": token.recipient if token.recipient_id != token.owner_id else None,
            "offer": offer,
            "may_answer_offer": offer is not None and policy.may_answer_offer(user, offer),
            "may_withdraw_offer": offer is not None and may_hand_over,
            "hands_over_unasked": may_hand_over and policy.may_hand_over_unasked(user, token),
            "possible_owners": (
                policy.first_possible_owners(token) if may_hand_over and offer is None else ()
            ),
            "most_possible_owners": policy.MOST_POSSIBLE_OWNERS,
            "replacements": replacements,
            "try_again_url": new.try_again_url(token),
            **_waits_for(token),
            **more,
        },
        status=status,
    )


def _landed(token: Token, user: User) -> dict[str, Any]:
    """Whether its key is in use by now, and what may become of the one before it."""
    if token.state != State.ACTIVE or not policy.may_receive(user, token):
        return {}
    old = token.replaces if token.last_used_at and token.replaces_id else None
    if old is None or old.state != State.ACTIVE:
        return {"waits_for_first_use": waits_for_first_use(token)}
    later = timezone.now() + timedelta(seconds=2 * NOTICE)
    ends_later = old.ends_at is None or old.ends_at > later
    may_end = policy.may_revoke(user, old) and ends_later and not old.is_under_notice
    return {"old": old, "may_end_old": may_end}


def _places(token: Token, user: User) -> dict[str, Any]:
    """Where the key lies; before there is one nobody is asked."""
    if token.waits_for_key or token.state in AWAITING_PEOPLE:
        return {}
    prefetch_related_objects([token], "places")
    written = list(token.places.all())
    may_describe = policy.may_describe(user, token)
    return {
        "places_stand": written or may_describe,
        "places": [one for one in written if not one.is_due],
        "lives_at": lives_at(token),
        "due": [one for one in written if one.is_due],
        "suggested_places": suggested(token, user, but=[one.text for one in written])
        if may_describe
        else (),
    }


def _waits_for(token: Token) -> dict[str, Any]:
    """Who is to agree to a request, and since when they know."""
    if token.state != State.AWAITING_APPROVAL:
        return {}
    told = Notice.objects.filter(token=token, kind=NoticeKind.APPROVAL_ASKED)
    asked_at = told.aggregate(last=Max("created_at"))["last"]
    return {
        "approvers": policy.approvers_of(token),
        "asked_at": asked_at,
        "may_remind": asked_at is None or asked_at < timezone.now() - PAUSE,
    }


def _replacements(token: Token) -> list[Token]:
    """What was to take its place. While a browser waits for the key there is none to look for."""
    if token.waits_for_key or token.state in AWAITING_PEOPLE:
        return []
    return Token.objects.replacing(token)
