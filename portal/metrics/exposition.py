"""The numbers in Prometheus' format."""

from collections.abc import Iterator, Mapping, Sequence

from django.conf import settings
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from portal.metrics import history
from portal.models import Webhook, Workspace
from portal.models.filling import counted_lately
from portal.observing import CALL_BOUNDS, REFUSALS, Series

Numbers = Mapping[Series, float]

_KINDS = "Tokens at AMG by workspace: live and expired ones of the portal's, and others' (foreign)."

_REFUSED = "Requests that were refused: 403, 404 on what others have, 429."


class Numbered(Collector):
    """What ``Tally``, the audit log's end and the tokens' rows tell. Raises DatabaseError."""

    def collect(self) -> Iterator[Metric]:
        numbers = history.numbers_so_far()
        if numbers is not None:
            yield from _of_requests(numbers)
        known = numbers if numbers is not None else history.kept()
        yield from _of_aws(known)
        yield _of_refusals(known)
        yield _of_workspaces()
        yield GaugeMetricFamily(
            "portal_webhooks_failing",
            "Webhooks of teams whose receiver has failed for ten minutes or longer.",
            value=Webhook.objects.failing_for_long().count(),
        )
        yield GaugeMetricFamily(
            "portal_token_quota",
            "How many tokens AMG allows in a workspace (PORTAL_TOKEN_QUOTA).",
            value=settings.TOKEN_QUOTA,
        )


def _of_requests(numbers: Numbers) -> Iterator[Metric]:
    ended = CounterMetricFamily(
        "portal_requests", "Requests for tokens that ended, by how.", labels=["outcome"]
    )
    for outcome in history.OUTCOMES:
        ended.add_metric([outcome], numbers.get(("portal_requests_total", outcome), 0))
    yield ended
    for name, told in (
        ("portal_unclaimed", "Sealed keys that nobody fetched in time, and that were revoked."),
        ("portal_orphans_removed", "Tokens deleted at AWS because nobody has their key."),
    ):
        yield CounterMetricFamily(name, told, value=numbers.get((f"{name}_total", ""), 0))
    for name, told in (
        ("portal_sealed_seconds", "From the submit to the sealed key."),
        ("portal_delivered_seconds", "From the submit to the key's delivery."),
    ):
        family = HistogramMetricFamily(name, told)
        family.add_metric([], *_histogram(numbers, name, "", history.DURATION_BOUNDS))
        yield family


def _of_aws(numbers: Numbers) -> Iterator[Metric]:
    calls = CounterMetricFamily(
        "portal_aws_calls",
        "Calls to AWS by AWS's name of the operation and what came of it.",
        labels=["operation", "code"],
    )
    seconds = HistogramMetricFamily(
        "portal_aws_call_seconds", "How long AWS took to answer.", labels=["operation"]
    )
    operations = set()
    for (metric, labels), value in sorted(numbers.items()):
        if metric == "portal_aws_calls_total":
            operation, code = labels.split("\t")
            operations.add(operation)
            calls.add_metric([operation, code], value)
    for operation in sorted(operations):
        found = _histogram(numbers, "portal_aws_call_seconds", operation, CALL_BOUNDS)
        seconds.add_metric([operation], *found)
    yield calls
    yield seconds


def _of_refusals(numbers: Numbers) -> Metric:
    refused = CounterMetricFamily("portal_refusals", _REFUSED, labels=["kind"])
    for kind in REFUSALS:
        refused.add_metric([kind], numbers.get(("portal_refusals_total", kind), 0))
    return refused


def _histogram(
    numbers: Numbers, metric: str, labels: str, bounds: Sequence[float]
) -> tuple[list[tuple[str, float]], float]:
    """Its buckets, each with what is in those below it, and its sum."""
    before = f"{labels}\t" if labels else ""
    buckets, total = [], 0.0
    for bound in (*(str(bound) for bound in bounds), "+Inf"):
        total += numbers.get((f"{metric}_bucket", before + bound), 0)
        buckets.append((bound, total))
    return buckets, numbers.get((f"{metric}_sum", labels), 0.0)


def _of_workspaces() -> Metric:
    found = GaugeMetricFamily("portal_workspace_tokens", _KINDS, labels=["workspace", "kind"])
    counts = counted_lately()
    for pk, aws_id in Workspace.objects.present().values_list("pk", "aws_id"):
        for kind in ("live", "expired", "foreign"):
            found.add_metric([aws_id, kind], counts.get((pk, kind), 0))
    return found
