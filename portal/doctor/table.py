"""Every check, in the order in which they are told."""

from django.db import DatabaseError, InterfaceError, connection

from portal.doctor import (
    of_aws,
    of_database,
    of_edge,
    of_machine,
    of_provider,
    of_servers,
    of_settings,
)
from portal.doctor.report import Check, Report


def checks() -> list[Check]:
    """Those of AWS are as many as there are connections in the database."""
    found = [
        Check("settings", of_settings.check, 5.0),
        Check("database", of_database.check, 20.0),
        *(Check(name, run, 25.0) for name, run in of_servers.CHECKS.items()),
        Check("origin", of_edge.origin_check, 15.0),
        Check("provider", of_provider.check, 30.0),
        Check("disk", of_machine.disk_check, 5.0),
        Check("heartbeats", of_machine.heartbeats_check, 15.0),
    ]
    try:
        found += of_aws.checks()
    except (DatabaseError, InterfaceError):
        found.append(Check("aws", _unknown))
    finally:
        connection.close()
    return found


def _unknown(report: Report) -> None:
    report.fail(
        "the connections could not be read from the database", "See what is said of the database."
    )
