"""A user of Valkey or Redis with no more rights than docs/OPERATIONS.md names."""

import re
import shlex

import redis

from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair
from tests.product import ROOT, Product
from tests.servers import Redis


def test_a_token_is_issued_with_the_rights_that_the_documents_name() -> None:
    [line] = re.findall(r"^ +ACL SETUSER .+$", (ROOT / "docs" / "OPERATIONS.md").read_text(), re.M)
    server = Redis()
    server.start()
    try:
        with redis.Redis.from_url(server.url) as admin:
            admin.execute_command(*shlex.split(line.replace("PASSWORD", "secret")))
            admin.execute_command("ACL", "SETUSER", "default", "off")
        url = server.url.replace("redis://", "redis://portal:secret@")
        with Product(CELERY_BROKER_URL=url) as product:
            engineer, keys = product.sign_in("engineer@example.com"), KeyPair()
            token = engineer.request(
                keys,
                workspace=PROD,
                service_account="2",
                name="ci",
                seconds_to_live="3600",
                reason="",
            )
            assert engineer.take(keys, token).startswith("glsa_")
            for trouble in ("misconfigured", "NOPERM", "NoPermission"):
                assert trouble not in product.log()
    finally:
        server.stop()
