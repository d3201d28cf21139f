"""AWS Signature Version 4 for ``requests``: what is signed is what is really sent.

botocore does the signing (its SigV4Auth encodes each path label once more in the canonical path, as
every service but S3 wants it). ``requests`` calls us last, when it has encoded URL and body.
"""

from typing import Protocol

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from requests import PreparedRequest
from requests.auth import AuthBase

SERVICE = "grafana"
"""AMG's signing name, in the service model as in IAM's ``grafana:…`` actions."""


class CredentialsSource(Protocol):
    """Where credentials come from; botocore's refreshable credentials are one."""

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Access key, secret and session token of this moment, fetched anew near their end.

        Raises botocore's BotoCoreError or ClientError.
        """


class SigV4(AuthBase):
    """Signs each request for one region."""

    def __init__(self, credentials: CredentialsSource, region: str) -> None:
        self._credentials = credentials
        self._region = region

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Add ``Authorization``, ``X-Amz-Date`` and, for session credentials, their token.

        Of the other headers only the content type (and the host) is signed: a proxy may rewrite
        the rest.
        """
        headers = {}
        if "Content-Type" in r.headers:
            headers["Content-Type"] = r.headers["Content-Type"]
        signed = AWSRequest(method=r.method, url=r.url, data=r.body or b"", headers=headers)
        # Refreshing may take a call to STS, so it comes before the clock is read.
        credentials = self._credentials.get_frozen_credentials()
        SigV4Auth(credentials, SERVICE, self._region).add_auth(signed)
        r.headers.update(signed.headers.items())
        return r
