#!/bin/sh
# Writes the bill of materials (CycloneDX, JSON) of what an image installs to $1, from the locks alone: the same locks
# give the same file, byte by byte. Further locks that an image of yours installs, such as requirements-saml.txt, follow.
# cyclonedx-py, which requirements-sbom.txt pins, is looked for in PATH; the file is checked against CycloneDX's schema.
set -eu
written=$1
shift
locks=$(mktemp)
trap 'rm -f "$locks"' EXIT
cat requirements-pip.txt requirements.txt "$@" >"$locks"
# It warns that the locks don't say what needs what.
export PYTHONWARNINGS=ignore::UserWarning
cyclonedx-py requirements --output-reproducible --validate --pyproject pyproject.toml --output-file "$written" "$locks"
