"""The AWS CLI takes the sandbox for Amazon Managed Grafana; and why the portal exists."""

from tests.grafana.aws_clients import AwsCli, json_of
from tests.grafana.sandbox_process import PROD, SandboxProcess

CREATE = "CreateWorkspaceServiceAccountToken"
ACCOUNT = ("--workspace-id", PROD, "--service-account-id", "2")
ONE_RETRY = {"AWS_MAX_ATTEMPTS": "2", "AWS_RETRY_MODE": "standard"}


def test_a_token_lives_its_life_by_the_cli(aws: AwsCli, sandbox: SandboxProcess) -> None:
    workspaces = json_of(aws("list-workspaces", "--page-size", "1"))["workspaces"]
    assert {each["name"] for each in workspaces} >= {"observability-prod", "retail-mobile"}
    made = json_of(
        aws(
            "create-workspace-service-account-token",
            *ACCOUNT,
            *("--name", "from the cli", "--seconds-to-live", "3600"),
        )
    )["serviceAccountToken"]
    assert made["key"].startswith("glsa_")
    [listed] = json_of(aws("list-workspace-service-account-tokens", *ACCOUNT))[
        "serviceAccountTokens"
    ]
    assert (listed["id"], listed["name"]) == (made["id"], "from the cli")
    deleted = aws("delete-workspace-service-account-token", *ACCOUNT, "--token-id", made["id"])
    assert json_of(deleted)["tokenId"] == made["id"]
    assert sandbox.live_tokens() == []


def test_the_cli_resends_a_create_that_succeeded_and_leaves_a_token_nobody_holds(
    aws: AwsCli, sandbox: SandboxProcess
) -> None:
    """What happens to a person with the CLI when AWS creates the token but answers 500."""
    sandbox.fault("error", "after", operation=CREATE)
    created = aws(
        "create-workspace-service-account-token",
        *ACCOUNT,
        *("--name", "mine", "--seconds-to-live", "3600"),
        **ONE_RETRY,
    )
    assert created.returncode != 0
    assert "ConflictException" in created.stderr
    assert "glsa_" not in created.stdout + created.stderr
    assert [(call["effect"], call["status"]) for call in sandbox.calls(CREATE)] == [
        (200, 500),
        (409, 409),
    ]
    [orphan] = sandbox.live_tokens(name="mine")
    assert orphan["last_used"] is None


def test_the_cli_resends_a_create_after_a_dropped_connection_too(
    aws: AwsCli, sandbox: SandboxProcess
) -> None:
    sandbox.fault("drop", "after", operation=CREATE)
    created = aws(
        "create-workspace-service-account-token",
        *ACCOUNT,
        *("--name", "mine", "--seconds-to-live", "3600"),
        **ONE_RETRY,
    )
    assert "ConflictException" in created.stderr
    assert len(sandbox.live_tokens(name="mine")) == 1


def test_the_cli_speaks_of_a_wrong_secret_as_it_does_with_aws(aws: AwsCli) -> None:
    refused = aws("list-workspaces", AWS_SECRET_ACCESS_KEY="wrong", **ONE_RETRY)
    assert "(InvalidSignatureException)" in refused.stderr
