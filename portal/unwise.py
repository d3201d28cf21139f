"""Settings that can be read, and that nobody should run with: each with its remedy.

One rule for every URL: without TLS to this machine alone, or where ``NAME_WITHOUT_TLS=on`` permits
it by name. ``portal.starting`` decides what becomes of the findings.
"""

import ipaddress
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks

from portal import endpoints
from portal.hosts import is_loopback
from portal.valkey import Server

AWS_ENDPOINTS = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_GRAFANA", "AWS_ENDPOINT_URL_STS")
VERIFIED = ("require", "verify-ca", "verify-full")
"""libpq's modes that speak TLS or not at all."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``why`` completes "setting NAME ...". Holds no value: it may be a secret."""

    setting: str
    why: str
    remedy: str
    is_permitted: bool = False
    stops_the_new: bool = False
    """Whether an installation that nobody uses yet must not begin with it."""

    def __str__(self) -> str:
        return f"setting {self.setting} {self.why}: {self.remedy}"


def is_local(host: str) -> bool:
    """Whether a host is this machine: a loopback address or name, a socket, or none."""
    host = host.strip("[]").lower()
    return (
        not host or host.startswith(("/", "@")) or host.endswith(".localhost") or is_loopback(host)
    )


def is_private(host: str) -> bool:
    """Whether a host is an address of a private network: a machine room's, a cluster's."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_private
    except ValueError:
        return False


def findings() -> list[Finding]:
    """All that is unwise in this process's settings. Asks nothing but them."""
    return [*_without_tls(), *_unproven(), *_of_hosts()]


# -- URLs ---------------------------------------------------------------------------------------


def _without_tls() -> Iterator[Finding]:
    plain = {
        "PORTAL_ORIGIN": _plain_http(settings.PORTAL_ORIGIN),
        "DATABASE_URL": _plain_postgresql(settings.DATABASE),
        "CELERY_BROKER_URL": _plain_valkey(settings.BROKER),
        "CACHE_URL": _plain_valkey(settings.CACHE) if settings.CACHE != settings.BROKER else [],
        "EMAIL_URL": _plain_mail(),
        **{name: _plain_http(os.environ.get(name, "")) for name in AWS_ENDPOINTS},
    }
    for name, hosts in plain.items():
        others = [host for host in hosts if not is_local(host)]
        if others:
            yield Finding(
                name,
                "leads to another machine without TLS, so that whoever stands between reads along",
                f"{REMEDIES[name.removesuffix('_GRAFANA').removesuffix('_STS')]}, "
                f"or permit it with {name}_WITHOUT_TLS=on",
                is_permitted=name in settings.WITHOUT_TLS,
                stops_the_new=not all(map(is_private, others)),
            )


def _unproven() -> Iterator[Finding]:
    servers = {"CELERY_BROKER_URL": settings.BROKER}
    if settings.CACHE != settings.BROKER:
        servers["CACHE_URL"] = settings.CACHE
    for name, server in servers.items():
        if (server.tls or {}).get("ssl_cert_reqs") in ("none", "optional"):
            yield Finding(
                name,
                "takes any certificate (ssl_cert_reqs), so that any machine can be that server",
                "leave ssl_cert_reqs out, and name an authority of your own with ssl_ca_certs",
            )


REMEDIES = {
    "PORTAL_ORIGIN": "write https://, with a proxy in front that ends TLS",
    "DATABASE_URL": "add ?sslmode=verify-full&sslrootcert=system",
    "CELERY_BROKER_URL": "write rediss://",
    "CACHE_URL": "write rediss://",
    "EMAIL_URL": "write smtp+tls:// (or smtp+ssl:// for port 465)",
    "AWS_ENDPOINT_URL": "write https://",
}


# Each gives the hosts that are spoken to without TLS.


def _plain_http(url: str) -> list[str]:
    parts = urlsplit(url)
    return [parts.hostname or ""] if parts.scheme == "http" else []


def _plain_postgresql(database: Mapping[str, Any]) -> list[str]:
    options = database.get("OPTIONS", {})
    hosts = f"{database.get('HOST') or options.get('host') or os.environ.get('PGHOST', '')}"
    mode = options.get("sslmode") or os.environ.get("PGSSLMODE")
    return [] if mode in VERIFIED else hosts.split(",")


def _plain_valkey(server: Server) -> list[str]:
    return [] if server.tls is not None or server.path else [server.host]


def _plain_mail() -> list[str]:
    if not settings.EMAIL_BACKEND.endswith(".smtp.EmailBackend"):
        return []
    return [] if settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL else [settings.EMAIL_HOST or ""]


# -- Hosts --------------------------------------------------------------------------------------


def _of_hosts() -> Iterator[Finding]:
    if "*" in settings.ALLOWED_HOSTS:
        yield Finding(
            "ALLOWED_HOSTS",
            "takes every host name (*), also one that somebody else has made up",
            "name the portal's own, separated by commas",
        )
    if not all(endpoints.is_host(pattern) for pattern in settings.ALLOWED_HOSTS):
        yield Finding(
            "ALLOWED_HOSTS",
            "has an entry that is no host name, and no request matches it",
            "write names alone, separated by commas, such as tokens.example.com",
        )
    if not endpoints.lets_in(settings.PORTAL_ORIGIN, settings.ALLOWED_HOSTS):
        yield Finding(
            "ALLOWED_HOSTS",
            "does not have the host of PORTAL_ORIGIN, so that every page there answers 400",
            "add it",
        )


def check(**_: Any) -> list[checks.CheckMessage]:
    """Django's check of a deployment (``manage.py check --deploy``)."""
    return [
        checks.Warning(f"The {finding}.", id="portal.W002")
        for finding in findings()
        if not finding.is_permitted
    ]
