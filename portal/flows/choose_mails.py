"""A person says which mails they want. Those about a key's or an account's security have no say."""

from collections.abc import Iterable

from django.db import transaction

from portal import audit
from portal.audit import Actor
from portal.models import Action, MailTopic, UnwantedMail, User


def choose_mails(
    person: User, unwanted: Iterable[MailTopic], *, actor: Actor, how: str = ""
) -> bool:
    """Keep these topics as what they do not want, and no others; False where it was so already."""
    wished = set(unwanted)
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=person.pk)
        before = set(UnwantedMail.objects.filter(person=person).values_list("topic", flat=True))
        if before == wished:
            return False
        UnwantedMail.objects.filter(person=person).exclude(topic__in=wished).delete()
        UnwantedMail.objects.bulk_create(
            UnwantedMail(person=person, topic=topic) for topic in sorted(wished - before)
        )
        said = ", ".join(sorted(wished)) or "none"
        subject = f"mails of {person.email}: not wanted are {said}{how}"
        audit.record(Action.SETTINGS_CHANGED, actor=actor, subject=subject)
    return True


def stop_mails(person: User, topic: MailTopic, *, actor: Actor) -> bool:
    """Add one topic to what they do not want, by the link of a mail."""
    before = UnwantedMail.objects.filter(person=person).values_list("topic", flat=True)
    unwanted = {*map(MailTopic, before), topic}
    return choose_mails(person, unwanted, actor=actor, how=", by the button of a mail")
