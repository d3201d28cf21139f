"""One kept-alive client per process and connection."""

import os

from portal.grafana.client import Client

_clients: dict[tuple[str, str, str], Client] = {}


def client_for(*, region: str = "", role_arn: str = "", external_id: str = "") -> Client:
    """The process's own client for an AWS account and region; see ``Client``."""
    key = (region, role_arn, external_id)
    if key not in _clients:
        _clients[key] = Client(region=region, role_arn=role_arn, external_id=external_id)
    return _clients[key]


def close_connections() -> None:
    """Close what is idle; the next call of each client connects anew."""
    for client in _clients.values():
        client.close()


def forget_clients() -> None:
    """Begin anew, for when the environment has changed."""
    close_connections()
    _clients.clear()


# Two processes that share one TCP connection after a fork would mix up their answers. What the
# parent has learned of the account is good for the child, too.
os.register_at_fork(after_in_child=close_connections)
