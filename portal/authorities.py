"""Certificates that servers are checked against: files that can be read, or the start stops."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from portal.valkey import Server, WrongUrlError

FILES = (
    *("sslrootcert", "sslcert", "sslkey", "sslcrl"),
    *("ssl_ca_certs", "ssl_certfile", "ssl_keyfile"),
)
"""Options of URLs that name a file: libpq's, and redis-py's."""
SYSTEM = "system"
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, Red Hat, Amazon Linux
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # FreeBSD, macOS
)


def system_bundle() -> str:
    """The file of authorities that this system trusts, or that SSL_CERT_FILE names.

    libpq's own "system" asks OpenSSL, and the OpenSSL that comes with psycopg's wheel looks where
    no system keeps them. Raises WrongUrlError.
    """
    named = os.environ.get("SSL_CERT_FILE")
    if named:
        require_readable("SSL_CERT_FILE", named)
        return named
    usual = ssl.get_default_verify_paths()
    for path in (*_BUNDLES, usual.cafile, usual.openssl_cafile):
        if path and Path(path).is_file():
            return path
    raise WrongUrlError(
        "says sslrootcert=system, and this system has no authorities (Debian: apt-get install "
        "ca-certificates)"
    )


def require_readable(option: str, path: str) -> None:
    """Raise WrongUrlError, which names the file, unless this process can read it."""
    try:
        with Path(path).open("rb"):
            pass
    except OSError as error:
        raise WrongUrlError(
            f"names a file in {option} that this user can't read ({path}: {error.strerror})"
        ) from None


def require_all_readable(options: Mapping[str, Any]) -> None:
    """Each file that options of a URL name. Raises WrongUrlError."""
    for option in FILES:
        path = options.get(option)
        if path and path != SYSTEM:
            require_readable(option, str(path))


def with_readable_files(server: Server) -> Server:
    """The same server. Raises WrongUrlError."""
    require_all_readable(server.tls or {})
    return server


def use_for_libpq(options: dict[str, Any]) -> None:
    """Have ``sslrootcert=system`` mean this system, as it reads; with the check of the name that
    libpq asks for beside it. Raises WrongUrlError."""
    require_all_readable(options)
    if options.get("sslrootcert") == SYSTEM:
        if options.setdefault("sslmode", "verify-full") != "verify-full":
            raise WrongUrlError("says sslrootcert=system, which needs sslmode=verify-full")
        options["sslrootcert"] = system_bundle()
