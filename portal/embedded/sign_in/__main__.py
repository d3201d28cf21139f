"""Runs the sandbox's provider: ``python -m portal.embedded.sign_in``.

Client, people and port come from the environment, which ``make run`` sets.
"""

import json
import os
import signal
import sys

from portal.embedded.sign_in.provider import Provider, Somebody
from portal.embedded.sign_in.server import Server


def main() -> None:
    told = json.loads(os.environ["SANDBOX_SIGN_IN"])
    provider = Provider(
        told["issuer"],
        [Somebody(**one) for one in told["people"]],
        client_id=told["client_id"],
        client_secret=told["client_secret"],
        redirect_uri=told["redirect_uri"],
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    Server(told["port"], provider).serve_forever()


if __name__ == "__main__":
    main()
