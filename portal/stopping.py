"""The address by which a person stops mails of a topic without signing in: RFC 8058's one click.

It says who and which, signed with SECRET_KEY: it stands in no row, and does nothing else. It is
good for as long as the key: an old mail's button works.
"""

from django.core import signing

from portal.models import MailTopic, User

_SALT = "portal.stopping"


def stop_path(person: User, topic: MailTopic) -> str:
    said = signing.Signer(salt=_SALT, sep="~").sign(f"{person.pk}.{topic}")
    return f"/accounts/mails/stop/{said}/"


def stopped_by(said: str) -> tuple[User, MailTopic] | None:
    """Who wants no mail of which topic; None where nobody signed that, or the person is gone."""
    try:
        number, _, topic = signing.Signer(salt=_SALT, sep="~").unsign(said).partition(".")
    except signing.BadSignature:
        return None
    person = User.objects.filter(pk=int(number)).first()
    return (person, MailTopic(topic)) if person is not None else None
