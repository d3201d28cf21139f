"""Broker, cache and mail server."""

import os
import smtplib
import ssl
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.core.mail import get_connection
from django.core.mail.backends.smtp import EmailBackend
from redis.exceptions import RedisError

from portal import valkey
from portal.doctor.report import Report
from portal.hosts import is_loopback
from portal.incidents import one_line
from portal.valkey import Server


def broker_check(report: Report) -> None:
    _check_valkey(report, settings.BROKER, "CELERY_BROKER_URL")


def cache_check(report: Report) -> None:
    if settings.CACHE == settings.BROKER:
        report.ok("the broker's server")
    else:
        _check_valkey(report, settings.CACHE, "CACHE_URL")


def _check_valkey(report: Report, server: Server, setting: str) -> None:
    where = server.path or f"{server.host} port {server.port}"
    error = valkey.takes_writes(server)
    if error is not None:
        refused = valkey.is_misconfigured(error)
        report.fail(
            f"{where} {'refuses' if refused else 'does not answer'}: {one_line(error)}",
            f"Check password, certificate and rights in {setting}."
            if refused
            else f"Check {setting}, that the server runs, and what lies on the way.",
        )
        return
    report.ok(f"{where} takes writes")
    if server.tls is None and not server.path and not is_loopback(server.host):
        report.warn(f"{where} is spoken to in clear", f"Use rediss:// in {setting}.")
    try:
        with server.connect(socket_timeout=2, socket_connect_timeout=2) as client:
            told: dict[str, str] = client.config_get("maxmemory-policy")
    except RedisError:  # an ACL may forbid that, and hosted services do
        return
    policy = told.get("maxmemory-policy", "noeviction")
    if setting == "CELERY_BROKER_URL" and policy.startswith("allkeys"):
        report.warn(
            f"{where} drops what it likes when its memory is full ({policy})",
            "Set maxmemory-policy to noeviction or volatile-lru: messages are not a cache.",
        )


def mail_check(report: Report) -> None:
    backend = get_connection()
    if not isinstance(backend, EmailBackend):
        _check_files(report)
        return
    where = f"{backend.host} port {backend.port}"
    backend.timeout = 8
    try:
        backend.open()
    except smtplib.SMTPAuthenticationError as error:
        report.fail(
            f"{where} does not take user and password ({error.smtp_code})",
            "Check EMAIL_URL; percent-encode what is no letter or digit in them.",
        )
    except ssl.SSLCertVerificationError as error:
        report.fail(
            f"{where} does not prove who it is: {error.verify_message}",
            "Use the name in its certificate; SSL_CERT_FILE names authorities of your own.",
        )
    except (OSError, smtplib.SMTPException) as error:
        report.fail(
            f"{where} can't be spoken to: {one_line(error)}",
            "Check EMAIL_URL (smtp+tls:// for STARTTLS, smtp+ssl:// for TLS from the start).",
        )
    else:
        report.ok(f"{where} takes mail")
        if not (backend.use_tls or backend.use_ssl) and not is_loopback(backend.host):
            report.warn(
                f"mails travel to {where} in clear, links to set a password too",
                "Use smtp+tls:// in EMAIL_URL.",
            )
    finally:
        backend.close()


def _check_files(report: Report) -> None:
    path = Path(getattr(settings, "EMAIL_FILE_PATH", "") or "")
    nearest = next((one for one in (path, *path.parents) if one.exists()), path)
    if path.name and not os.access(nearest, os.W_OK):
        report.fail(f"mails are to be written to {path}, which can't be", "Check EMAIL_URL.")
        return
    report.warn("mails are written to files and reach nobody", "Set EMAIL_URL to a mail server.")


CHECKS: dict[str, Callable[[Report], None]] = {
    "broker": broker_check,
    "cache": cache_check,
    "mail": mail_check,
}
