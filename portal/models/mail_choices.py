"""Which mails a person does not want. What concerns the security of a key or of an account, and
what somebody waits for, is mailed to everybody."""

from django.db import models

from portal.models.people import User


class MailTopic(models.TextChoices):
    """What a person may have left out."""

    DIGEST = "digest"
    NEARLY_FULL = "nearly_full"
    ENDS_OF_TEAM = "ends_of_team"
    """Of a token that somebody else owns."""
    ENDS_EARLY = "ends_early"
    """Of their own, every warning but the last, which is mailed to everybody."""


class UnwantedMail(models.Model):
    """That a person does not want the mails of a topic."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="unwanted_mails")
    topic = models.CharField(max_length=16, choices=MailTopic)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "topic"], name="unwanted_mail_once")
        ]

    def __str__(self) -> str:
        return f"no {self.topic} for {self.person_id}"

    @classmethod
    def is_unwanted(cls, person: User, topic: MailTopic) -> bool:
        return cls.objects.filter(person=person, topic=topic).exists()
