"""The first person: sets a password by the link of ``invite``, signs in, and takes a key.

``python -m tests.operations.first_token LINK CERTIFICATES GRAFANA``: everything over TLS, proved by
the file of CERTIFICATES; the key is tried at GRAFANA, as Grafana's HTTP API is.
"""

import sys
from urllib.parse import urlsplit

from tests.grafana.sandbox_process import PROD
from tests.person import KeyPair, Person

EMAIL, PASSWORD = "you@example.com", "correct horse battery staple"


def main() -> None:
    link, certificates, grafana = sys.argv[1:]
    parts = urlsplit(link)
    person, keys = Person(f"{parts.scheme}://{parts.netloc}"), KeyPair()
    person.http.verify = certificates
    page = person.http.get(link, timeout=30)
    assert page.status_code == 200, page.status_code
    [token] = [one for one in person.http.cookies if one.name.endswith("csrftoken")]
    fields = {
        "password1": PASSWORD,
        "password2": PASSWORD,
        "csrfmiddlewaretoken": str(token.value),
    }
    done = person.http.post(page.url, fields, headers={"Referer": page.url}, timeout=30)
    assert done.url.endswith("/accounts/login/"), done.url
    person.http.headers["Referer"] = person.url
    person.sign_in(EMAIL, PASSWORD)
    fields = {"workspace": PROD, "service_account": "2", "seconds_to_live": "3600"}
    key = person.take(keys, person.request(keys, name="the-first", reason="", **fields))
    answer = person.http.get(
        f"{grafana}/api/org", headers={"Authorization": f"Bearer {key}"}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    print(answer.json()["name"])


if __name__ == "__main__":
    main()
