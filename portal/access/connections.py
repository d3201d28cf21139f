"""What a connection may say: names that AWS takes, checked before anything is sent there."""

import re
from collections.abc import Callable, Mapping

from django.conf import settings

from portal.grafana import regions

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]+:role/[A-Za-z0-9_+=,.@/-]+")
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,}")
"""Of both: the service model of AWS STS, AssumeRole."""


def _of_region(region: str) -> str:
    return "" if region in settings.EXTRA_REGIONS else regions.trouble_with(region)


def _of_role(arn: str) -> str:
    if _ROLE.fullmatch(arn):
        return ""
    return "must be the ARN of a role, like arn:aws:iam::111122223333:role/portal"


def _of_external_id(text: str) -> str:
    return (
        ""
        if _EXTERNAL_ID.fullmatch(text)
        else "must be at least 2 characters: letters, digits and _ + = , . @ : / -"
    )


TROUBLE_WITH: Mapping[str, Callable[[str], str]] = {
    "region": _of_region,
    "role_arn": _of_role,
    "external_id": _of_external_id,
}
"""By field: why AWS won't take a text that is not empty, or an empty text where it will."""
