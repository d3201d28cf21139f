"""What lies between the portal and AWS while a part of AWS does not answer. On loopback alone."""

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

HEAD_ENDS = b"\r\n\r\n"
MOST_AT_ONCE = 64 * 1024
FOR_EVER = 3600.0


class Hanging:
    """Relays to the server's ``port`` whatever is not signed for ``region``. What is, and all that
    comes where there is no server, is turned away; from ``hang`` on it is never answered."""

    def __init__(self, *, port: int | None, region: str = "") -> None:
        self._server = port
        self._mark = f"/{region}/".encode()
        self._hangs = False
        self.held = 0
        """Connections that came and were not answered."""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def hang(self) -> None:
        self._hangs = True

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", 0)
        server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)
        self.port = int(server.sockets[0].getsockname()[1])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end_all(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A client uses a connection for one region, so that its first request tells."""
        ends = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*ends), contextlib.closing(writer):
            head = await reader.readuntil(HEAD_ENDS)
            if self._server is not None and self._mark not in head:
                there, back = await asyncio.open_connection("127.0.0.1", self._server)
                with contextlib.closing(back):
                    back.write(head)
                    await asyncio.gather(_pump(reader, back), _pump(there, writer))
            elif self._hangs:
                self.held += 1
                await asyncio.sleep(FOR_EVER)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while some := await reader.read(MOST_AT_ONCE):
        writer.write(some)
        await writer.drain()
    writer.close()
