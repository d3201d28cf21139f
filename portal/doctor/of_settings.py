"""Settings that contradict each other, or are unwise together."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

from portal import environment
from portal.doctor.report import Report
from portal.hosts import is_loopback

_PROVIDERS = ("PORTAL_OIDC_ISSUER", "PORTAL_SAML_METADATA")


def check(report: Report) -> None:
    before = len(report.found)
    _check_origin(report)
    _check_secrets(report)
    _check_audit(report)
    _check_people(report)
    if len(report.found) == before:
        report.ok("nothing contradicts anything else")


def _check_origin(report: Report) -> None:
    host = urlsplit(settings.PORTAL_ORIGIN).hostname or ""
    if not validate_host(f"[{host}]" if ":" in host else host, settings.ALLOWED_HOSTS):
        report.fail(
            f"ALLOWED_HOSTS does not name {host}, the host of PORTAL_ORIGIN: every page is refused",
            f"Add {host} to ALLOWED_HOSTS.",
        )
    if settings.HTTPS and not settings.TRUSTED_PROXIES:
        report.fail(
            "PORTAL_ORIGIN is https and PORTAL_TRUSTED_PROXIES is 0: the portal believes no proxy "
            "that a request came by TLS, and redirects for ever",
            "Set PORTAL_TRUSTED_PROXIES to how many proxies stand in front.",
        )
    if not settings.HTTPS and not is_loopback(host):
        report.fail(
            "PORTAL_ORIGIN is http: passwords and sessions travel in clear, and browsers make no "
            "key pair on such a page",
            "Put a proxy that ends TLS in front, and give PORTAL_ORIGIN its https address.",
        )
    elif not settings.HTTPS:
        report.warn(
            "PORTAL_ORIGIN is http on this machine alone",
            "For others, put a proxy that ends TLS in front.",
        )
    if not settings.MONITOR_TOKEN and not is_loopback(host):
        report.warn(
            "/metrics and /readyz answer whoever reaches them",
            "Don't publish them by the proxy, or set PORTAL_MONITOR_TOKEN.",
        )


def _check_secrets(report: Report) -> None:
    if settings.SECRET_KEY == settings.AUDIT_KEY:
        report.warn(
            "SECRET_KEY and AUDIT_KEY are the same",
            "Give SECRET_KEY a value of its own: it may have to be changed when it leaks.",
        )
    if settings.AUDIT_KEY in settings.AUDIT_KEYS_RETIRED:
        report.fail(
            "AUDIT_KEY is also named in AUDIT_KEYS_RETIRED", "Take it out of AUDIT_KEYS_RETIRED."
        )
    if not settings.RATE_LIMITS:
        report.warn(
            "PORTAL_RATE_LIMITS is off: passwords can be guessed",
            "Take it out; it is for load tests.",
        )
    if settings.GRAFANA == "sandbox" and not settings.EMBEDDED:
        report.warn("PORTAL_GRAFANA is sandbox: no token reaches AWS", "Set PORTAL_GRAFANA to aws.")


def _check_audit(report: Report) -> None:
    if not settings.AUDIT_HEAD_FILE and not settings.AUDIT_HEAD_MAIL:
        report.warn(
            "the audit log's head goes to the process log alone: whoever owns the database and "
            "that log can cut the end off unseen",
            "Set PORTAL_AUDIT_HEAD_FILE or PORTAL_AUDIT_HEAD_MAIL (docs/AUDIT.md).",
        )
    file = Path(settings.AUDIT_HEAD_FILE) if settings.AUDIT_HEAD_FILE else None
    if file and not os.access(file if file.exists() else file.parent, os.W_OK):
        report.fail(
            f"PORTAL_AUDIT_HEAD_FILE ({file}) can't be written by this user",
            f"Let the user of the processes write there: chown ... {file.parent}",
        )


def _check_people(report: Report) -> None:
    has_provider = any(environment.text(name) for name in _PROVIDERS)
    if not settings.PASSWORD_SIGN_IN and not has_provider:
        report.fail(
            "PORTAL_PASSWORD_SIGN_IN is off and there is no single sign-on: nobody can sign in",
            "Set PORTAL_OIDC_ISSUER or PORTAL_SAML_METADATA, or take PORTAL_PASSWORD_SIGN_IN out.",
        )
    if not settings.EMBEDDED and settings.DEFAULT_FROM_EMAIL == "portal@localhost":
        report.warn(
            "mails come from portal@localhost, which servers refuse",
            "Set PORTAL_MAIL_FROM to an address of yours.",
        )
