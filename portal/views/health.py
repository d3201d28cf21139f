"""For monitors and load balancers: no session, no sign-in."""

import hmac
import logging
from datetime import timedelta

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.models import Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from portal.models import Heartbeat, State, Token
from portal.models.counting import count_by_state

SILENT_FOR_TOO_LONG = timedelta(seconds=60)

log = logging.getLogger(__name__)


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process answers at all."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """503 only without the database; what else is missing is named as degraded, with 200."""
    if not _may_scrape(request):
        return JsonResponse({"status": "a bearer token is needed"}, status=401)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        silent = _silent_processes()
    except DatabaseError as error:
        log.warning("readyz.no_database", extra={"error": type(error).__name__})
        return JsonResponse({"status": "unavailable", "degraded": ["database"]}, status=503)
    degraded = silent if _broker_answers() else ["broker", *silent]
    return JsonResponse({"status": "degraded" if degraded else "ok", "degraded": degraded})


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """What the database tells of the whole portal, in Prometheus' text format."""
    if not _may_scrape(request):
        return HttpResponse("a bearer token is needed\n", status=401, content_type="text/plain")
    registry = CollectorRegistry()
    tokens = Gauge("portal_tokens", "Tokens by state.", ["state"], registry=registry)
    counts = count_by_state()
    for state in State:
        tokens.labels(state.value).set(counts.get(state.value, 0))
    now = Token.objects.database_now()
    oldest = Token.objects.filter(state=State.QUEUED).aggregate(at=Min("queued_at"))["at"]
    Gauge(
        "portal_oldest_queued_seconds", "Age of the oldest queued request.", registry=registry
    ).set((now - oldest).total_seconds() if oldest else 0)
    unresolved = Gauge(
        "portal_unresolved", "Tokens with a create of unknown outcome.", registry=registry
    )
    unresolved.set(Token.objects.filter(unresolved_since__isnull=False).count())
    heard = Gauge(
        "portal_last_heard_seconds",
        "Since a worker, the scheduler or AWS was last heard of.",
        ["kind"],
        registry=registry,
    )
    for beat in Heartbeat.objects.all():
        heard.labels(beat.kind).set((now - beat.at).total_seconds())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_scrape(request: HttpRequest) -> bool:
    """Anybody, unless PORTAL_MONITOR_TOKEN is set: then whoever brings it."""
    wanted: str = settings.MONITOR_TOKEN
    scheme, _, brought = request.headers.get("Authorization", "").partition(" ")
    return not wanted or (
        scheme == "Bearer" and hmac.compare_digest(brought.encode(), wanted.encode())
    )


def _silent_processes() -> list[str]:
    oldest = Token.objects.database_now() - SILENT_FOR_TOO_LONG
    heard = set(Heartbeat.objects.filter(at__gte=oldest).values_list("kind", flat=True))
    return [kind for kind in ("worker", "scheduler", "aws") if kind not in heard]


def _broker_answers() -> bool:
    url = settings.CELERY_BROKER_URL.replace("redis+socket://", "unix://")
    try:
        with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as broker:
            return bool(broker.ping())
    except redis.RedisError:
        return False
