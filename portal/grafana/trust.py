"""Which certificates are trusted: one TLS context for all connections that trust the same ones.

urllib3 reads the bundle anew for each connection, which takes about 20 ms of CPU (measured, with
certifi's 117 authorities): more than the rest of a handshake.
"""

import ssl
from functools import lru_cache
from pathlib import Path

from urllib3.util.ssl_ import create_urllib3_context


def context_for(bundle: str) -> ssl.SSLContext:
    """A context that trusts exactly the authorities in a file or a directory of certificates.

    A bundle that has been renewed since counts for the next connection. Raises OSError (of which
    ssl.SSLError is one) for a bundle that can't be read or is none.
    """
    path = Path(bundle)
    found = path.stat()
    return _context(path, found.st_ino, found.st_size, found.st_mtime_ns)


@lru_cache(maxsize=8)
def _context(path: Path, *_version: int) -> ssl.SSLContext:
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    if path.is_dir():
        context.load_verify_locations(capath=path)
    else:
        context.load_verify_locations(cafile=path)
    return context
