"""For monitors and load balancers: no session, no sign-in."""

import logging
from datetime import timedelta

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from portal.models import Heartbeat, Token

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
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        silent = _silent_processes()
    except DatabaseError as error:
        log.warning("readyz.no_database", extra={"error": type(error).__name__})
        return JsonResponse({"status": "unavailable", "degraded": ["database"]}, status=503)
    degraded = silent if _broker_answers() else ["broker", *silent]
    return JsonResponse({"status": "degraded" if degraded else "ok", "degraded": degraded})


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
