"""One kept-alive client per process and connection."""

import functools
import os

from portal.grafana.client import Client


@functools.lru_cache(maxsize=64)
def client_for(*, region: str = "", role_arn: str = "", external_id: str = "") -> Client:
    """The process's own client for an AWS account and region; see ``Client``."""
    return Client(region=region, role_arn=role_arn, external_id=external_id)


# Two processes that share one TCP connection after a fork would mix up their answers.
os.register_at_fork(after_in_child=client_for.cache_clear)
