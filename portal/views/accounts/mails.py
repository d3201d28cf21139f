"""Which mails a person gets, and the one-click address by which a mail's button stops some."""

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from portal import policy, requester
from portal.audit import Actor
from portal.flows.choose_mails import choose_mails, stop_mails
from portal.models import MailTopic, UnwantedMail, User
from portal.stopping import stopped_by

OF_EVERYBODY = {
    MailTopic.ENDS_EARLY: (
        "Your own token ends soon",
        "Every warning. Without it, the last one alone, so that nothing stops unseen.",
    ),
}
OF_LEADS = {
    MailTopic.ENDS_OF_TEAM: (
        "A token of a team that you lead ends soon",
        "Of tokens that others own: their owners are mailed in any case.",
    ),
    MailTopic.DIGEST: (
        "The digest on Monday mornings",
        "What ends within the week, what nothing uses, what waits for somebody, and who left.",
    ),
    MailTopic.NEARLY_FULL: (
        "A workspace of your teams is nearly full",
        "Once, until it has emptied again.",
    ),
}


@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest) -> HttpResponse:
    """The page; POST keeps the topics that are ticked (``topic``, repeated)."""
    person = requester.person(request)
    offered = OF_EVERYBODY | (OF_LEADS if policy.led_by(person).exists() else {})
    unwanted = set(UnwantedMail.objects.filter(person=person).values_list("topic", flat=True))
    if request.method == "POST":
        wanted = set(request.POST.getlist("topic"))
        # What is not offered now, because they lead nothing, stays as they have chosen it.
        left_out = {topic for topic in unwanted if topic not in offered}
        left_out |= {topic for topic in offered if topic not in wanted}
        if choose_mails(person, map(MailTopic, left_out), actor=requester.actor(request)):
            messages.success(request, "Kept: from now on you get the mails that are ticked.")
        return redirect("mails")
    topics = [
        (topic.value, name, says, topic not in unwanted) for topic, (name, says) in offered.items()
    ]
    context = {"topics": topics, "sees_sending": policy.may_audit(person)}
    return render(request, "account/mails.html", context)


@csrf_exempt  # a mail program sends it, which has no cookie (RFC 8058); what is signed says who
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, said: str) -> HttpResponse:
    """GET asks, since programs that scan mails open links; POST does it. 404 for what nobody
    signed."""
    found = stopped_by(said)
    if found is None:
        raise Http404
    person, topic = found
    name = (OF_EVERYBODY | OF_LEADS)[topic][0]
    if request.method == "POST":
        stop_mails(person, topic, actor=_actor(request, person))
    context = {"email": person.email, "name": name, "is_done": request.method == "POST"}
    return render(request, "account/stop_mails.html", context)


def _actor(request: HttpRequest, person: User) -> Actor:
    """Whoever has the mail acts for its recipient, from wherever that is."""
    return Actor(
        user=person, address=requester.address(request), user_agent=requester.user_agent(request)
    )
