"""``python -m portal.grafana.sandbox``: start the sandbox in the foreground until SIGINT, SIGTERM.

Prints one line, the address last, when it listens. Exit status 2, with one line that says why, if
it can't start.
"""

import argparse
import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from portal.grafana.sandbox import aws, grafana, steering
from portal.grafana.sandbox.database import Database, DataFileError
from portal.grafana.sandbox.seed import Seed, SeedError
from portal.grafana.sandbox.sigv4 import Credentials
from portal.grafana.sandbox.wire import Request, Response, Server, http_date
from portal.grafana.sandbox.world import World

SECRET_VARIABLE = "SANDBOX_SECRET_ACCESS_KEY"  # noqa: S105 - a variable's name, not a secret


def main() -> int:
    parser = _parser()
    options = parser.parse_args()
    try:
        secret = _secret(options.secret_file)
        seed = Seed.from_file(options.seed) if options.seed else Seed.demo()
        database = Database(options.data)
        world = World(Credentials(options.access_key, secret, options.region), database, seed)
        asyncio.run(_serve(world, options.host, options.port))
    except (OSError, DataFileError, SeedError, ValueError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")
    database.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m portal.grafana.sandbox",
        description="A stand-in for Amazon Managed Grafana's control plane.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=9100, help="port; 0 picks a free one (%(default)s)")
    add("--data", default=":memory:", metavar="FILE", help="SQLite file (default: none is kept)")
    add("--seed", type=Path, metavar="FILE", help="what a new data file begins with, as JSON")
    add("--region", default="eu-west-1", help="region to be (%(default)s)")
    add("--access-key", default="SANDBOX", help="the one access key id known (%(default)s)")
    add(
        "--secret-file",
        type=Path,
        metavar="FILE",
        help=f"holds its secret access key (default: the variable {SECRET_VARIABLE})",
    )
    return parser


def _secret(path: Path | None) -> str:
    secret = path.read_text().strip() if path else os.environ.get(SECRET_VARIABLE, "")
    if not secret:
        raise ValueError(f"no secret access key: set {SECRET_VARIABLE} or give --secret-file")
    return secret


async def _serve(world: World, host: str, port: int) -> None:
    stopped = asyncio.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signal_number, stopped.set)

    async def answer(request: Request) -> Response | None:
        response = await _dispatch(world, request)
        if response is None:
            return None
        return replace(response, headers={"Date": http_date(world.now()), **response.headers})

    server = Server(answer)
    port = await server.start(host, port)
    world.url = f"http://{host}:{port}"
    sys.stdout.write(
        f"Sandbox of Amazon Managed Grafana, {world.credentials.region}: {world.url}\n"
    )
    sys.stdout.flush()
    await stopped.wait()
    await server.stop()


async def _dispatch(world: World, request: Request) -> Response | None:
    if request.path.startswith(steering.PREFIX):
        return steering.answer(world, request)
    if grafana.is_for(request.path):
        return grafana.answer(world, request)
    return await aws.answer(world, request)


if __name__ == "__main__":
    sys.exit(main())
