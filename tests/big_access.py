"""An access file of the size of a large company, and the catalog that it names."""

import json

from portal.models import Connection, ServiceAccount, Workspace

WORKSPACES, ACCOUNTS = 20, 50


def make_catalog() -> None:
    """Twenty workspaces with fifty service accounts each, as a sync would have left them."""
    connection = Connection.objects.create(name="main")
    workspaces = Workspace.objects.bulk_create(
        Workspace(
            connection=connection,
            aws_id=f"g-{number:010x}",
            name=f"workspace-{number}",
            status="ACTIVE",
        )
        for number in range(WORKSPACES)
    )
    ServiceAccount.objects.bulk_create(
        ServiceAccount(
            workspace=workspace, aws_id=str(number), name=f"account-{number}", grafana_role="EDITOR"
        )
        for workspace in workspaces
        for number in range(ACCOUNTS)
    )


def access_file(company: str, teams: int = 200, people: int = 5_000, grants: int = 2_000) -> str:
    """A company's file: everybody in one team, each grant for one service account by its name."""
    lines = [
        "version: 1",
        "people:",
        f"  - {{email: 0@{company}.example.com, admin: true}}",
        "teams:",
    ]
    for team in range(teams):
        members = [f"{number}@{company}.example.com" for number in range(team, people, teams)]
        lines += [f"  {company}-{team}:", f"    leads: {json.dumps(members[:1])}", "    members:"]
        lines += [f"      - {email}" for email in members[1:]]
        lines.append("    grants:")
        for number in range(team, grants, teams):
            scope = (team + number // teams) % (WORKSPACES * ACCOUNTS)
            lines += [
                f"      - workspace: workspace-{scope % WORKSPACES}",
                f"        service_accounts: [account-{scope // WORKSPACES}]",
                "        max_ttl: 30d",
                "        default_ttl: 7d",
                "        approval: admin-role",
                "        max_live: 20",
            ]
    return "\n".join([*lines, ""])
