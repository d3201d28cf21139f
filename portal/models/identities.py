"""What an identity provider says of people, as far as the portal keeps it.

Who somebody is at the provider stands in django-allauth's SocialAccount: provider and subject.
"""

from django.db import models
from django.db.models.functions import Now

from portal.models.people import User

LONGEST_GROUP = 200


class PersonGroup(models.Model):
    """That a person was in a group when the provider last said so.

    Only groups that the access file maps to something are kept: what else somebody belongs to is
    none of the portal's business.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="idp_groups")
    group = models.CharField(max_length=LONGEST_GROUP)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "group"], name="person_group_once")]

    def __str__(self) -> str:
        return f"{self.user} is in {self.group}"


class ProviderSession(models.Model):
    """That a session here came from a session at the provider, which may end it.

    ``session_key`` is no foreign key: Django's own code deletes sessions in ways that would meet
    it. Rows whose session is gone are swept away when they are a day old.
    """

    session_key = models.CharField(max_length=40, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    provider = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    sid = models.CharField("the provider's session", max_length=255, blank=True)
    id_token = models.TextField("shown to the provider at sign-out", blank=True)
    end_session_url = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [
            models.Index(fields=["subject"], name="provider_session_by_subject"),
            models.Index(fields=["sid"], name="provider_session_by_sid"),
            models.Index(fields=["created_at"], name="provider_session_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.user} since {self.created_at}"
