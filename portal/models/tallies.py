"""Numbers that only grow, for monitors: kept here, so that they are the same on every host."""

from collections.abc import Mapping
from typing import ClassVar

from django.db import connections, models

_ADD = """
    INSERT INTO portal_tally (metric, labels, value) VALUES {rows}
    ON CONFLICT (metric, labels) DO UPDATE SET value = portal_tally.value + excluded.value
"""
_AT_ONCE = 100
"""Rows of one statement."""


class TallyManager(models.Manager["Tally"]):
    def add(self, numbers: Mapping[tuple[str, str], float]) -> None:
        """Add to each row, or begin it. Everybody locks the rows in one order."""
        rows = sorted(numbers.items())
        with connections[self.db].cursor() as cursor:
            for first in range(0, len(rows), _AT_ONCE):
                some = rows[first : first + _AT_ONCE]
                cursor.execute(
                    _ADD.format(rows=", ".join(["(%s, %s, %s)"] * len(some))),
                    [value for key, number in some for value in (*key, number)],
                )

    def number(self, metric: str, labels: str = "") -> float:
        """One of them; 0 where it was never counted."""
        row = self.filter(metric=metric, labels=labels).values_list("value", flat=True)
        return row.first() or 0

    def numbers(self) -> dict[tuple[str, str], float]:
        """All of them: a few hundred."""
        return {
            (metric, labels): value
            for metric, labels, value in self.values_list("metric", "labels", "value")
        }


class Tally(models.Model):
    """One number of one metric; ``labels`` are their values, separated by tabs."""

    metric = models.CharField(max_length=60)
    labels = models.CharField(max_length=200, blank=True)
    value = models.FloatField()

    objects: ClassVar[TallyManager] = TallyManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["metric", "labels"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.metric} {self.labels} {self.value}"
