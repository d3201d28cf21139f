"""Where AMG is and as whom to call it: botocore's own rules, asked once per client."""

import os
from dataclasses import dataclass
from functools import cache

from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    DeferredRefreshableCredentials,
    ReadOnlyCredentials,
)
from botocore.exceptions import NoCredentialsError
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from portal.grafana.signing import SERVICE, CredentialsSource

ROLE_SESSION_NAME = "grafana-token-portal"
"""Stands in CloudTrail beside every call made with an assumed role."""


@dataclass(frozen=True, slots=True)
class Account:
    """An AWS account and region, as the environment and the arguments name it."""

    region: str
    endpoint_url: str
    """With a scheme, without a slash at the end."""
    ca_bundle: str | None
    """A file or directory of certificates (``AWS_CA_BUNDLE`` or the profile's); None for the
    usual ones."""
    credentials: CredentialsSource

    @classmethod
    def resolve(
        cls,
        *,
        region: str,
        endpoint_url: str,
        role_arn: str,
        external_id: str,
        connect_timeout: float,
        read_timeout: float,
    ) -> "Account":
        """Ask botocore. "" leaves a choice to it; the timeouts (seconds) are those of calls to STS.

        ``AWS_REGION`` beats ``AWS_DEFAULT_REGION``, the only one that botocore reads, as it does in
        AWS's other SDKs and its CLI. Takes about 0.1 s the first time in a process, a tenth of it
        later, and calls nobody: credentials are looked for when they are first used.

        Raises botocore's BotoCoreError (no region, no such profile) or ValueError (a malformed
        endpoint).
        """
        session = Session()
        session.register_component("data_loader", _loader(session.get_config_variable("data_path")))
        region = region or os.environ.get("AWS_REGION", "")
        if region:
            # For whatever else the credential chain may call in this region, too.
            session.set_config_variable("region", region)
        session.set_default_client_config(
            Config(
                connect_timeout=connect_timeout,
                read_timeout=read_timeout,
                retries={"total_max_attempts": 2},
            )
        )
        # An unsigned client, made only to be asked, does not go looking for credentials.
        endpoint = session.create_client(
            SERVICE, endpoint_url=endpoint_url or None, config=Config(signature_version=UNSIGNED)
        ).meta
        credentials: CredentialsSource = _ChainCredentials(session)
        if role_arn:
            credentials = _assumed(session, credentials, role_arn, external_id)
        return cls(
            region=endpoint.region_name,
            endpoint_url=endpoint.endpoint_url.rstrip("/"),
            ca_bundle=session.get_config_variable("ca_bundle") or None,
            credentials=credentials,
        )


@cache
def _loader(search_path: str | None) -> Loader:
    """botocore's files on AWS, read once in a process and not once for each connection."""
    return create_loader(search_path)


class _ChainCredentials:
    """What botocore's chain finds: environment, profile, SSO, web identity, container, IMDS."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        # The session keeps what it found and looks again as long as it has found nothing.
        credentials = self._session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        return credentials.get_frozen_credentials()


def _assumed(
    session: Session, source: CredentialsSource, role_arn: str, external_id: str
) -> CredentialsSource:
    """Credentials of a role in another account, fetched from STS on first use and refreshed."""
    arguments = {"RoleSessionName": ROLE_SESSION_NAME}
    if external_id:
        arguments["ExternalId"] = external_id
    fetcher = AssumeRoleCredentialFetcher(
        session.create_client, source, role_arn, extra_args=arguments
    )
    assumed: CredentialsSource = DeferredRefreshableCredentials(
        fetcher.fetch_credentials, "assume-role"
    )
    return assumed
