"""Assertions of SAML that were used: each is good once."""

from django.db import models


class SpentAssertion(models.Model):
    """That an assertion was used, kept until it would be good no longer.

    In the database, not in a cache: what a full or emptied cache forgets could be used again.
    """

    digest = models.CharField("SHA-256 of issuer and ID", max_length=64, primary_key=True)
    until = models.DateTimeField("when its time is over")

    class Meta:
        indexes = [models.Index(fields=["until"], name="spent_assertion_by_end")]

    def __str__(self) -> str:
        return f"{self.digest} until {self.until}"
