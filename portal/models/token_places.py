"""Where the key of a token lies, as people write it down: the place alone, never the key."""

from collections.abc import Iterable

from django.db import models
from django.db.models.functions import Now

from portal.models.people import Team, User
from portal.models.tokens import Token

LONGEST_PLACE = 80
"""Characters."""


class TokenPlace(models.Model):
    """One place of one token, such as ``GitHub acme/dash`` or ``a laptop``."""

    token = models.ForeignKey(
        Token, on_delete=models.CASCADE, related_name="places", db_index=False
    )
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+", db_index=False)
    text = models.CharField(max_length=LONGEST_PLACE)
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField("when it was written down", db_default=Now())
    is_due = models.BooleanField(
        "known from the token that this one replaces, and still to get the new key",
        db_default=False,
    )

    class Meta:
        ordering = ["pk"]
        indexes = [
            # What the person and their team wrote down last.
            models.Index(fields=["team", "-id"], name="place_by_team"),
            models.Index(fields=["by", "-id"], name="place_by_person"),
        ]
        constraints = [models.UniqueConstraint(fields=["token", "text"], name="place_once")]

    def __str__(self) -> str:
        return self.text


MOST_SUGGESTED = 6
_LOOKED_AT = 60
"""Of the newest rows: a place that many tokens have stands in many of them."""


def suggested(token: Token, user: User, *, but: Iterable[str] = ()) -> list[str]:
    """Places that the person wrote down last, then those of the team; none of ``but``."""
    newest = TokenPlace.objects.order_by("-pk").values_list("text", flat=True)
    known = set(but)
    own = [one for one in dict.fromkeys(newest.filter(by=user)[:_LOOKED_AT]) if one not in known]
    if len(own) < MOST_SUGGESTED:
        theirs = dict.fromkeys(newest.filter(team=token.team_id)[:_LOOKED_AT])
        own += [one for one in theirs if one not in known and one not in own]
    return own[:MOST_SUGGESTED]
