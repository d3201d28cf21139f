"""Where somebody is, as a form of their browser says it: for mails that come at an hour."""

from django.http import HttpRequest

from portal import requester
from portal.models import User
from portal.moments import UnknownZoneError, zone


def note_zone(request: HttpRequest) -> None:
    """Keep the zone that a form was sent from, where it is another than before."""
    name = request.POST.get("time_zone", "").strip()
    person = requester.person(request)
    if not name or name == person.time_zone:
        return
    try:
        zone(name)
    except UnknownZoneError:
        return
    User.objects.filter(pk=person.pk).update(time_zone=name)
