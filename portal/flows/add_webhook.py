"""A team gets a webhook, with a secret of its own."""

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from portal import policy
from portal.audit import Actor
from portal.models import Team, Webhook
from portal.webhooks import places, signing, telling
from portal.webhooks.recording import record_change

MOST = 20
"""Webhooks of one team."""


class TooManyError(Exception):
    """The team has as many webhooks as it may."""


def add_webhook(
    team: Team, *, name: str, url: str, form: str, kinds: Sequence[str], actor: Actor
) -> Webhook:
    """Make it. Raises PermissionDenied, TooManyError, or places.WrongPlaceError for the URL."""
    person = policy.require(policy.may_manage, actor.user, team)
    place = places.parse(url, settings.WEBHOOK_NETWORKS)
    with transaction.atomic():
        Team.objects.select_for_update(no_key=True).get(pk=team.pk)
        if Webhook.objects.filter(team=team).count() >= MOST:
            raise TooManyError
        webhook = Webhook.objects.create(
            team=team,
            name=name or place.host[:80],
            host=place.header[:260],
            address=signing.lock(url),
            format=form,
            kinds=list(kinds),
            after_event=telling.last_event(),
            created_by=person.email,
            secret=signing.lock(signing.new_secret()),
            shown_to=person,
            shown_until=Now() + signing.SHOWN_FOR,
            not_before=None,
        )
        what = f"added, to {webhook.host}, for {', '.join(webhook.kinds)}"
        record_change(webhook, what, actor=actor)
    return webhook
