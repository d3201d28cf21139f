"""The calendar of a team's ends: for programs, which have its key and no session."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal import policy, requester
from portal.calendars import Entry, calendar
from portal.flows.renew_calendar import renew_calendar
from portal.limits import table
from portal.models import Team, Token
from portal.models.lookups import IS_ACTIVE, IS_LIVE, OPEN_OF_TEAM, TRUE_END
from portal.text import shown
from portal.views.limiting import limited
from portal.views.teams import desk
from portal.views.way_back import posted_from

MOST_ENTRIES = 2000


@login_not_required
@require_safe
def ends(request: HttpRequest, slug: str) -> HttpResponse:
    """When the team's live tokens end, until their end; 404 for a wrong key, as for no team."""
    team = Team.objects.filter(slug=slug).first()
    if team is None or not policy.opens_calendar(team, request.GET.get("key", "")):
        raise Http404
    rows = Token.objects.filter(OPEN_OF_TEAM, team=team).filter(IS_LIVE).filter(IS_ACTIVE)
    rows = rows.alias(ends=TRUE_END).filter(ends__isnull=False).order_by("ends", "pk")
    entries = [_entry(token) for token in rows.for_pages()[:MOST_ENTRIES]]
    content = calendar(f"Tokens of {team.name}", entries, made_at=timezone.now())
    response = HttpResponse(content, content_type="text/calendar; charset=utf-8")
    response.headers["Cache-Control"] = "private, max-age=600"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _entry(token: Token) -> Entry:
    account, workspace = token.service_account, token.workspace
    ends_at = token.ends_at or timezone.now()
    return Entry(
        uid=f"{token.pk}@{settings.PORTAL_ORIGIN.partition('://')[2]}",
        at=ends_at,
        changed_at=token.state_at,
        summary=f"Token ends: {shown(token.name)}",
        description=(
            f"Of {token.owner.email}, for {shown(account.name)} ({shown(account.grafana_role)}) in "
            f"{shown(workspace.name)}. What uses it then stops working; the page renews it."
        ),
        url=f"{settings.PORTAL_ORIGIN}{reverse('token', args=[token.pk])}",
    )


@posted_from("team")
@limited(table.HANDOVERS)
def renew(request: HttpRequest, slug: str) -> HttpResponse:
    """POST: another link, by a lead or an admin; the old one opens nothing from now on."""
    team = desk.find(request, slug)
    renew_calendar(team, actor=requester.actor(request))
    messages.success(request, "The calendar has a new link. The old one no longer works.")
    return redirect("team", team.slug)
