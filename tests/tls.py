"""Servers that are spoken to over TLS, with certificates that one authority vouches for."""

import asyncio
import base64
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.grafana.certificates import Certificate


class MailServer:
    """SMTP with STARTTLS, and nothing without it; takes one user's password and keeps the mails."""

    def __init__(
        self, certificate: Certificate, *, password: str = "mail-password", port: int = 0
    ) -> None:
        self._certificate = certificate
        self._password = password
        self.mails: list[str] = []
        self.port = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._converse, "127.0.0.1", self.port)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))

    async def _converse(  # noqa: C901 (SMTP, from its beginning to its end)
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        secure = signed_in = False
        say("220 mail")
        try:
            while line := (await reader.readline()).decode().strip():
                verb = line.split()[0].upper()
                if verb == "EHLO":
                    say("250-mail")
                    say("250 AUTH PLAIN" if secure else "250 STARTTLS")
                elif verb == "STARTTLS":
                    say("220 go ahead")
                    await writer.drain()
                    await writer.start_tls(self._certificate.context)
                    secure = True
                elif not secure:
                    say("530 STARTTLS first")
                elif verb == "AUTH":
                    told = base64.b64decode(line.split()[2]).decode().split("\0")[2]
                    signed_in = told == self._password
                    say("235 welcome" if signed_in else "535 wrong")
                elif verb == "QUIT":
                    say("221 bye")
                    break
                elif not signed_in:
                    say("530 sign in first")
                elif verb == "DATA":
                    say("354 go ahead")
                    text = await reader.readuntil(b"\r\n.\r\n")
                    self.mails.append(text.decode())
                    say("250 taken")
                else:
                    say("250 fine")
                await writer.drain()
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def ask_for_tls(data: Path, certificate: Certificate) -> list[str]:
    """Settings of PostgreSQL, whose files lie in ``data``, by which it takes TLS alone."""
    key = certificate.bundle.with_name("key.pem")
    files = {"server.crt": certificate.bundle, "server.key": key}
    for name, source in files.items():
        (data / name).write_bytes(source.read_bytes())
        (data / name).chmod(0o600)
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
    return ["ssl = on", "ssl_cert_file = 'server.crt'", "ssl_key_file = 'server.key'"]
