"""Ending many of a team's tokens: look first, then act, then see how far it has come."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal import policy, requester
from portal.flows.give_notice import give_notice_of_many
from portal.flows.revoke import EndedMany, revoke_many
from portal.forms import EndForm
from portal.limits import table
from portal.models import Action, AuditEvent, State, Team, Token, User
from portal.models.flags import live_first
from portal.moments import FIRST
from portal.requester import answers_json
from portal.tasks import follow_up
from portal.views.accounts.step_up import require_step_up
from portal.views.limiting import limited
from portal.views.refusals import HiddenError
from portal.views.teams import desk
from portal.views.tokens import explain
from portal.views.way_back import posted_from

BATCH_SIZE = 500
"""Tokens on one page of those to end: below the number of fields that Django takes in a form."""
MOST_NAMES = 5
IN_USE = timedelta(days=1)
"""Since its last use, as far as Grafana has told."""
UNDER_WAY = (State.REVOKING, State.ISSUING)


@posted_from("team")
@limited(table.ENDS)
def revoke(request: HttpRequest, slug: str) -> HttpResponse:
    """End several tokens, or all of a person; with ``preview=1`` list them and change nothing."""
    the_team = desk.find(request, slug)
    policy.require(policy.may_manage, requester.person(request), the_team)
    chosen = _chosen(request, the_team)
    if request.POST.get("preview") == "1":
        typed = {name: request.POST.get(name, "") for name in ("reason", "notice")}
        form = EndForm(initial=typed)
        return _preview(request, the_team, chosen, form, status=200 if chosen else 422)
    form = EndForm(request.POST)
    if not form.is_valid() or not chosen:
        return _preview(request, the_team, chosen, form, status=422)
    if len(chosen) > 1:  # ending one must be quick
        require_step_up(request)
    if form.cleaned_data["notice"]:
        return _give_notice(request, the_team, chosen, form)
    done = revoke_many(
        [token.pk for token in chosen],
        team=the_team,
        actor=requester.actor(request),
        reason=form.cleaned_data["reason"],
    )
    if not done.events:
        return _too_late(request, the_team, done)
    follow_up(done.effects)
    if done.too_late:
        messages.warning(request, _told(len(chosen), done))
    return redirect("team-ended", the_team.slug, min(done.events), max(done.events))


def _give_notice(
    request: HttpRequest, the_team: Team, chosen: list[Token], form: EndForm
) -> HttpResponse:
    """Have them end later, unless somebody keeps them; back at the desk, which says so."""
    many = give_notice_of_many(
        [token.pk for token in chosen],
        form.cleaned_data["notice"],
        team=the_team,
        actor=requester.actor(request),
        reason=form.cleaned_data["reason"],
    )
    follow_up(many.effects)
    if many.given:
        told = f"{len(many.given)} of {len(chosen)}: notice was given."
        messages.success(request, f"{told} Those who may need them were mailed.")
    if many.left:
        names = "; ".join(f"{token.name}: {why}" for token, why in many.left[:MOST_NAMES])
        more = len(many.left) - MOST_NAMES
        also = f"; and {more} more" if more > 0 else ""
        messages.warning(request, f"Left alone: {names}{also}.")
    return redirect("team", the_team.slug)


@require_safe
def ended(request: HttpRequest, slug: str, first: int, last: int) -> HttpResponse:
    """How far the ends that these events of the audit log tell of have come."""
    the_team = desk.find(request, slug)
    tokens = _ended_between(the_team, first, last)
    return render(request, "team/ended.html", {"team": the_team, **_progress(tokens)})


@answers_json
@require_safe
def status(request: HttpRequest, slug: str, first: int, last: int) -> JsonResponse:
    """The same for the page's script."""
    progress = _progress(_ended_between(desk.find(request, slug), first, last))
    rows = [
        {
            "id": str(token.pk),
            "state": token.state,
            "label": token.get_state_display(),
            "message": message,
        }
        for token, message in progress["rows"]
    ]
    return JsonResponse({"done": progress["done"], "of": progress["of"], "tokens": rows})


def _chosen(request: HttpRequest, the_team: Team) -> list[Token]:
    """The tokens that the form names, or all that can be ended of the person whom it names."""
    rows = live_first(Token.objects.filter(team=the_team).for_pages().with_places())
    if names := request.POST.getlist("token"):
        try:
            wanted = {uuid.UUID(name) for name in names}
        except ValueError:
            raise Http404 from None
        found = list(rows.filter(pk__in=wanted))
        if len(found) != len(wanted):
            raise (
                HiddenError if Token.objects.filter(pk__in=wanted).count() > len(found) else Http404
            )
        return found
    if email := request.POST.get("person", "").strip():
        person = User.objects.by_address(email)
        theirs = rows.filter(Q(owner=person) | Q(recipient=person))
        if person is None or not (
            theirs.exists() or the_team.memberships.filter(user=person).exists()
        ):
            raise Http404
        outliving = [one for one in policy.outliving(the_team) if person in _people(one)]
        return [*theirs.filter(state__in=policy.ENDABLE), *outliving]
    return []


def _people(token: Token) -> tuple[User, User | None]:
    """Those whose token it is: its owner, and who took its key."""
    return token.owner, token.recipient


def _is_over(token: Token) -> bool:
    return token.state not in policy.ENDABLE and not policy.is_revocable(token)


def _preview(
    request: HttpRequest, the_team: Team, chosen: list[Token], form: EndForm, status: int
) -> HttpResponse:
    """The page that lists exactly what its button ends."""
    ending = sorted(
        (token for token in chosen if policy.is_revocable(token)), key=_last_used, reverse=True
    )
    withdrawing = [token for token in chosen if policy.is_cancellable(token)]
    return render(
        request,
        "team/revoke.html",
        {
            "team": the_team,
            "form": form,
            "may_give_notice": any(one.state == State.ACTIVE for one in ending),
            "ending": (ending + withdrawing)[:BATCH_SIZE],
            "left_for_later": max(0, len(ending + withdrawing) - BATCH_SIZE),
            "in_use": sum(_last_used(one) > timezone.now() - IN_USE for one in ending),
            "over": [(t, explain.message(t)) for t in chosen if _is_over(t)],
            "owners": sorted({token.owner.email for token in ending + withdrawing}),
            "person": request.POST.get("person", ""),
        },
        status=status,
    )


def _last_used(token: Token) -> datetime:
    return token.last_used_at or FIRST


def _too_late(request: HttpRequest, the_team: Team, done: EndedMany) -> HttpResponse:
    """409: all of them had ended already; who did what when."""
    rows = [(token, explain.message(token)) for token in done.too_late]
    return render(request, "team/too_late.html", {"team": the_team, "rows": rows}, status=409)


def _told(asked: int, done: EndedMany) -> str:
    """What had changed between looking and acting."""
    names = ", ".join(token.name for token in done.too_late[:MOST_NAMES])
    more = len(done.too_late) - MOST_NAMES
    also = f" and {more} more" if more > 0 else ""
    return f"{len(done.events)} of {asked}: {len(done.too_late)} had already ended ({names}{also})."


def _ended_between(the_team: Team, first: int, last: int) -> list[Token]:
    """The team's tokens whose end the actor of the first event asked for in these events."""
    events = AuditEvent.objects.filter(team_id=the_team.pk, seq__range=(first, last)).filter(
        action__in=(Action.TOKEN_REVOKE_REQUESTED, Action.TOKEN_CANCELLED)
    )
    beginning = events.order_by("seq").first()
    if beginning is None:
        raise Http404
    ids = events.filter(actor_id=beginning.actor_id).values_list("token_id", flat=True)
    rows = Token.objects.filter(team=the_team, pk__in=list(ids[:BATCH_SIZE])).for_pages()
    return list(rows.order_by("name", "pk"))


def _progress(tokens: list[Token]) -> dict[str, Any]:
    return {
        "rows": [(token, explain.message(token)) for token in tokens],
        "done": sum(token.state not in UNDER_WAY for token in tokens),
        "of": len(tokens),
    }
