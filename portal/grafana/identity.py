"""As whom AWS knows the portal: STS's GetCallerIdentity, which needs no permission."""

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from portal.grafana.account import Account


class IdentityError(Exception):
    """``is_refused``: AWS has answered, and does not take the credentials; otherwise STS, or who
    gives credentials, could not be reached."""

    def __init__(self, message: str, *, is_refused: bool) -> None:
        super().__init__(message)
        self.is_refused = is_refused


def caller(
    *, region: str = "", role_arn: str = "", external_id: str = "", seconds: float = 3.0
) -> str:
    """The ARN of a connection's credentials; ``seconds`` for each of connecting and answering.

    Raises IdentityError.
    """
    try:
        account = Account.resolve(
            region=region,
            endpoint_url="",
            role_arn=role_arn,
            external_id=external_id,
            connect_timeout=seconds,
            read_timeout=seconds,
        )
        found = account.credentials.get_frozen_credentials()
        client = Session().create_client(
            "sts",
            region_name=account.region,
            aws_access_key_id=found.access_key,
            aws_secret_access_key=found.secret_key,
            aws_session_token=found.token,
            config=Config(
                connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 1}
            ),
        )
        return str(client.get_caller_identity()["Arn"])
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        failure = IdentityError(f"{code}: {error}", is_refused=True)
    except (BotoCoreError, ValueError, OSError) as error:
        failure = IdentityError(f"{type(error).__name__}: {error}", is_refused=False)
    raise failure
