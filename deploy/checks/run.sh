#!/bin/sh
# Lints the packaging; what it needs comes from the package index, once, into var/deploy-check.
set -eu
here=var/deploy-check
if [ ! -e "$here/.made" ]; then
  "${PYTHON:-python3}" -m venv --clear "$here"
  "$here/bin/python" -m pip install --quiet --disable-pip-version-check -r deploy/checks/requirements.txt
  touch "$here/.made"
fi
echo "-- Dockerfile"
# DL3059: the steps are layers of their own on purpose, for the build's cache.
"$here/bin/hadolint" --ignore DL3059 deploy/Dockerfile
echo "-- Kubernetes' schemas"
find deploy/kubernetes -name '*.yaml' ! -name kustomization.yaml -exec "$here/bin/kubernetes-validate" --strict --quiet {} +
echo "-- checkov"
"$here/bin/checkov" --config-file deploy/checks/checkov.yaml
if command -v terraform >/dev/null; then
  echo "-- Terraform's formatting"
  terraform fmt -check deploy/terraform
fi
if command -v systemd-analyze >/dev/null; then
  echo "-- systemd's units"
  # The paths of an installation are not here; nothing else may be said of them.
  systemd-analyze verify deploy/systemd/*.service 2>&1 | grep -v "is not executable\|man:" || true
fi
