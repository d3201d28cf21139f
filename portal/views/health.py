"""For monitors and load balancers: no session, no sign-in."""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, InterfaceError
from django.db.models import Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from portal import clock, endpoints, notify, outage, valkey
from portal.client_address import client_address
from portal.flows.stream_audit import lag_seconds
from portal.flows.sync_catalog import SYNC_SECONDS
from portal.grafana.errors import NoAnswer, NotSent
from portal.incidents import Incident
from portal.metrics.exposition import Numbered
from portal.models import Connection, Heartbeat, State, Token, Workspace
from portal.models.counting import count_by_state
from portal.valkey import Server

PLAIN = "text/plain; charset=utf-8"
SILENT_FOR_TOO_LONG = timedelta(seconds=60)
QUIET_FOR_TOO_LONG = timedelta(seconds=SYNC_SECONDS) + 2 * SILENT_FOR_TOO_LONG
"""At a quiet time AWS is heard of only when the catalog is read, and that takes a while."""

NO_ANSWER = {NoAnswer.__name__, NotSent.__name__}
"""The codes under which something could not be read because AWS did not answer."""

_incidents = {part: Incident(part) for part in ("broker", "cache")}


@login_not_required
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process answers at all."""
    return HttpResponse("ok\n", content_type=PLAIN)


@login_not_required
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """503 only without the database; what else is missing is named as degraded, with 200.

    ``database`` with 200 is one that takes no writes, ``aws_credentials`` that AWS does not take
    the portal's credentials, or its clock, ``clock`` that one of ours is more than a minute from
    AWS's, so that nothing ends by it, ``allowed_hosts`` that every page answers 400.
    """
    if closed := _closed(request):
        return JsonResponse({"status": closed[1]}, status=closed[0])
    try:
        unread = _unread()
        heard = dict(Heartbeat.objects.values_list("kind", "at"))
        silent = _silent(heard, asked_in_vain=any(code in NO_ANSWER for code in unread))
        are_refused = Connection.objects.exclude(refused_since=None).exists()
        are_clocks_off = bool(clock.findings())
        mail_fails = _mail_fails(heard)
        takes_writes = outage.database_takes_writes()
    except (DatabaseError, InterfaceError) as error:
        outage.note(error)
        answer = JsonResponse({"status": "unavailable", "degraded": ["database"]}, status=503)
        answer.headers["Retry-After"] = "5"
        return answer
    degraded = [] if takes_writes else ["database"]
    if not endpoints.lets_in(settings.PORTAL_ORIGIN, settings.ALLOWED_HOSTS):
        degraded.append("allowed_hosts")
    if not _takes_writes("broker", settings.BROKER):
        degraded.append("broker")
    if settings.CACHE != settings.BROKER and not _takes_writes("cache", settings.CACHE):
        degraded.append("cache")
    degraded += silent
    if are_refused:
        degraded.append("aws_credentials")
    if are_clocks_off:
        degraded.append("clock")
    if unread:
        degraded.append("catalog")
    if mail_fails:
        degraded.append("mail")
    return JsonResponse({"status": "degraded" if degraded else "ok", "degraded": degraded})


@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """What the database tells of the whole portal, in Prometheus' text format."""
    if closed := _closed(request):
        return HttpResponse(f"{closed[1]}\n", status=closed[0], content_type=PLAIN)
    registry = CollectorRegistry()
    registry.register(Numbered())
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
    Gauge(
        "portal_catalog_unread",
        "Workspaces, and lists of them, that could not be read from AWS.",
        registry=registry,
    ).set(len(_unread()))
    heard = Gauge(
        "portal_last_heard_seconds",
        "Since a worker, the scheduler or AWS was last heard of.",
        ["kind"],
        registry=registry,
    )
    for beat in Heartbeat.objects.exclude(kind__in=(notify.SENT, notify.NOT_SENT)):
        heard.labels(beat.kind).set((now - beat.at).total_seconds())
    if settings.AUDIT_STREAM:
        Gauge(
            "portal_audit_stream_lag_seconds",
            "How long the first event has waited that was not sent elsewhere yet.",
            registry=registry,
        ).set(lag_seconds())
    writable = Gauge(
        "portal_database_writable",
        "Whether the database takes writes: 0 when it is full or read-only.",
        registry=registry,
    )
    writable.set(outage.database_takes_writes())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _closed(request: HttpRequest) -> tuple[int, str] | None:
    """Status and reason for who may not look; None for who may.

    With PORTAL_MONITOR_TOKEN that is whoever brings it, else whoever asks from this machine or a
    private network.
    """
    wanted: str = settings.MONITOR_TOKEN
    if not wanted:
        address = client_address(request)
        if address is None or not ip_address(address).is_global:
            return None
        return 403, "only for this network: PORTAL_MONITOR_TOKEN opens it to others"
    scheme, _, brought = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Bearer" and hmac.compare_digest(brought.encode(), wanted.encode()):
        return None
    return 401, "a bearer token is needed"


def _unread() -> list[str]:
    """With what code the workspaces, and lists of them, could not be read that could not be."""
    of_lists = Connection.objects.filter(unread_since__isnull=False)
    of_workspaces = Workspace.objects.present().filter(unread_since__isnull=False)
    return [
        *of_lists.values_list("unread_code", flat=True),
        *of_workspaces.values_list("unread_code", flat=True),
    ]


def _silent(heard: Mapping[str, datetime], *, asked_in_vain: bool) -> list[str]:
    """Who was not heard of for too long."""
    now = Token.objects.database_now()
    longest = dict.fromkeys(("worker", "scheduler", "aws"), SILENT_FOR_TOO_LONG)
    if not asked_in_vain:
        longest["aws"] = QUIET_FOR_TOO_LONG
    return [kind for kind, wait in longest.items() if kind not in heard or now - heard[kind] > wait]


def _mail_fails(heard: Mapping[str, datetime]) -> bool:
    """Whether the mail server could not be spoken to when that was last tried."""
    failed_at, sent_at = heard.get(notify.NOT_SENT), heard.get(notify.SENT)
    return failed_at is not None and (sent_at is None or sent_at < failed_at)


def _takes_writes(part: str, server: Server) -> bool:
    """A server that is a read-only replica by now answers, and takes no message."""
    error = valkey.takes_writes(server)
    if error is None:
        _incidents[part].over()
        return True
    _incidents[part].note(error, is_misconfigured=valkey.is_misconfigured(error))
    return False
