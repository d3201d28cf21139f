"""The regions that AMG is in, and those that AWS has: botocore's data, which its upgrades bring.

Of all partitions: the regions of aws-us-gov and aws-cn are none of the partition aws.
"""

from difflib import get_close_matches
from functools import cache

from botocore.loaders import create_loader
from botocore.session import Session

from portal.grafana.signing import SERVICE


def trouble_with(region: str) -> str:
    """Why AMG can't be called in a region, with the nearest name; empty where it can."""
    with_amg, every = _regions()
    if region in with_amg:
        return ""
    if region in every:
        return f"AMG is not in {region}; it is in {', '.join(with_amg)}"
    near = get_close_matches(region, with_amg, 1, 0.0)
    return f"AWS has no region {region[:40]!r}: is {near[0]} meant?"


@cache
def _regions() -> tuple[tuple[str, ...], frozenset[str]]:
    """Those that AMG is in, in order, and all that AWS has."""
    session = Session()
    with_amg = {
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions(SERVICE, partition_name=partition)
    }
    partitions = create_loader().load_data("endpoints")["partitions"]
    every = {region for partition in partitions for region in partition["regions"]}
    return tuple(sorted(with_amg)), frozenset(every)
