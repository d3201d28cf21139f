"""``make run`` of this version on the data of the version before."""

from pathlib import Path

from tests.person import KeyPair, Person
from tests.product import Product
from tests.upgrade.installation import BEFORE, commit_tree

FORM = {"workspace": "g-1a2b3c4d5e", "service_account": "2", "seconds_to_live": "86400"}


def test_data_sessions_and_sealed_keys_of_the_version_before_are_taken_over(tmp_path: Path) -> None:
    keys = KeyPair()
    product = Product(tmp_path / "data", PORTAL_DEMO_PASSWORD="correct horse battery staple")
    try:
        product.tree = commit_tree(BEFORE, tmp_path)
        product.start()
        engineer = product.sign_in("engineer@example.com")
        active = engineer.request(keys, **FORM, name="active")
        engineer.take(keys, active)
        sealed = engineer.request(keys, **FORM, name="sealed")
        while engineer.get(f"/tokens/{sealed}/status/?wait=15").json()["state"] != "sealed":
            pass
        cookies = dict(engineer.http.cookies)
        product.stop()

        product.tree = Product(tmp_path / "data").tree
        product.start()
        again = Person(product.url)
        again.http.cookies.update(cookies)
        again.csrf = engineer.csrf
        assert again.get("/tokens/").status_code == 200, "still signed in"
        assert again.take(keys, sealed).startswith("glsa_")
        assert again.get(f"/tokens/{active}/status/").json()["state"] == "active"
        assert again.post(f"/tokens/{active}/revoke/", reason="over").status_code == 302
        fresh = again.request(keys, **FORM, name="fresh")
        assert again.take(keys, fresh).startswith("glsa_")
        assert "Traceback" not in product.log(), product.log()
    finally:
        product.close()
