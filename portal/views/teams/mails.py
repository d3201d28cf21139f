"""How long before the ends of a team's tokens its mails go out: a lead's to choose."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from portal import policy, requester
from portal.flows.choose_notice_days import choose_notice_days
from portal.limits import table
from portal.views.limiting import limited
from portal.views.teams import desk


@require_http_methods(["GET", "HEAD", "POST"])
@limited(table.HANDOVERS)
def notice_days(request: HttpRequest, slug: str) -> HttpResponse:
    """The form; POST ``days``, as "14,3", or nothing for the usual ones."""
    team = desk.find(request, slug)
    policy.require(policy.may_manage, requester.person(request), team)
    text, error = team.notice_days, ""
    if request.method == "POST":
        text = request.POST.get("days", "")[:80]
        try:
            choose_notice_days(team, text, actor=requester.actor(request))
        except ValueError as wrong:
            error = f"Write {wrong}, or nothing for the usual ones."
        else:
            messages.success(request, "Kept. The mails go out so from now on.")
            return redirect("team", team.slug)
    usual = ",".join(map(str, settings.EXPIRY_NOTICE_DAYS))
    context = {"team": team, "days": text, "error": error, "usual": usual}
    return render(request, "team/mails.html", context, status=422 if error else 200)
