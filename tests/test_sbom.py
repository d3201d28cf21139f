"""The image's bill of materials: what the production locks pin, and nothing else."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name

from tests.product import ROOT, clean_environment

LOCKS = ("requirements-pip.txt", "requirements.txt")
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[a-z0-9,-]+\])?==([^ ;\\]+)", re.M)
LINES = sum(len((ROOT / lock).read_text().splitlines()) for lock in LOCKS)
IN_IMAGE = "/opt/portal/sbom.cdx.json"


def pinned(*locks: str) -> set[tuple[str, str]]:
    """Name and version of everything that is in these locks."""
    texts = [(ROOT / lock).read_text() for lock in locks]
    found = [(canonicalize_name(n), v) for text in texts for n, v in PINNED.findall(text)]
    assert len(found) == sum(len(re.findall(r"^[^ #]", text, re.M)) for text in texts)
    return set(found)


def made(file: Path, *locks: str) -> bytes:
    """As the image's build and `make sbom` make it."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", "deploy/sbom.sh", str(file), *locks],
        cwd=ROOT,
        env=clean_environment() | {"PATH": path},
        check=True,
        timeout=60,
    )
    return file.read_bytes()


@pytest.fixture(scope="module")
def sbom(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("sbom") / "sbom.cdx.json")


def components(sbom: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(sbom)["components"]
    return found


def test_each_package_of_the_locks_is_in_it_and_nothing_else(sbom: bytes) -> None:
    found = components(sbom)
    assert {(one["name"], one["version"]) for one in found} == pinned(*LOCKS)
    assert len(found) == len(pinned(*LOCKS)) > 50
    for one in found:
        assert one["purl"] == f"pkg:pypi/{canonicalize_name(one['name'])}@{one['version']}"
        hashes = [its["hashes"] for its in one["externalReferences"]]
        assert all(len(its["content"]) == 64 for each in hashes for its in each)
        assert hashes


def test_it_says_whose_it_is_and_not_when_it_was_made(sbom: bytes) -> None:
    told = json.loads(sbom)
    assert told["metadata"]["component"]["name"] == "portal"
    assert "timestamp" not in told["metadata"]
    assert "serialNumber" not in told


def test_the_same_locks_give_the_same_file_but_for_a_lock_that_is_added(
    sbom: bytes, tmp_path: Path
) -> None:
    again = json.loads(made(tmp_path / "again.json", "requirements-saml.txt"))
    added = {(one["name"], one["version"]) for one in again["components"]} - pinned(*LOCKS)
    assert added == pinned("requirements-saml.txt") - pinned(*LOCKS) != set()
    of_both = [one for one in again["components"] if (one["name"], one["version"]) not in added]
    kept = [one for one in of_both if int(one["bom-ref"].partition("-L")[2]) <= LINES]
    assert {**again, "components": kept, "dependencies": None} == {
        **json.loads(sbom),
        "dependencies": None,
    }


def test_it_is_written_only_if_it_follows_the_schema_of_cyclonedx() -> None:
    assert " --validate " in (ROOT / "deploy" / "sbom.sh").read_text()


def test_the_image_holds_what_its_locks_say_and_names_its_base() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    assert f'RUN ["sh", "deploy/sbom.sh", "{IN_IMAGE}"]' in text
    assert f"COPY --from=sbom {IN_IMAGE} {IN_IMAGE}" in text
    installed = re.findall(r'"\.venv/bin/python".*"--requirement", "(\S+)"\]', text)
    assert tuple(installed) == LOCKS
    [base] = re.findall(r"^FROM (\S+) AS base$", text, re.M)
    [named] = re.findall(r'image\.base\.name="docker\.io/library/(\S+)"', text)
    assert base.partition("@")[0] == named
    assert IN_IMAGE in (ROOT / "docs" / "OPERATIONS.md").read_text()
