"""A catalog of 500 workspaces with 100 service accounts each, as a sync would have left it."""

from portal.models import Connection, ServiceAccount, Workspace

WORKSPACES, ACCOUNTS = 500, 100
ROLES = ("ADMIN", "EDITOR", "VIEWER")


def make(workspaces: int = WORKSPACES, accounts: int = ACCOUNTS, *, name: str = "") -> None:
    """Make them; ``name`` is what each workspace's name ends with."""
    connection, _ = Connection.objects.get_or_create(name="big")
    made = Workspace.objects.bulk_create(
        Workspace(
            connection=connection,
            aws_id=f"g-{0xA000000000 + number:010x}",
            name=f"observability-{number:05}{name}",
            endpoint=f"g-{number:010x}.grafana-workspace.eu-west-1.amazonaws.com",
            status="ACTIVE",
            grafana_version="10.4",
        )
        for number in range(workspaces)
    )
    ServiceAccount.objects.bulk_create(
        ServiceAccount(
            workspace=workspace,
            aws_id=str(2 + number),
            name=f"service-account-{number:03}",
            grafana_role=ROLES[number % len(ROLES)],
        )
        for workspace in made
        for number in range(accounts)
    )
