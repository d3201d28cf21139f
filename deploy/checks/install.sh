#!/bin/sh
# docs/OPERATIONS.md, line by line, on a machine that has never seen the portal, with TLS on every connection: from
# `useradd` to the first key, then every command that the document names (tests/operations/inside.py). Boots this
# machine's own Debian as a container whose changes are thrown away, or the one in INSTALL_ROOT (with systemd, python3-venv,
# git, postgresql, redis or valkey, nginx, openssl, curl, procps in it), so it wants root and Debian's systemd-container.
# Packages of Python are fetched before: the container has no network.
set -eu
cd "$(dirname "$0")/../.."

work=$(mktemp -d /var/tmp/portal-install-XXXXXX)
trap 'umount "$work/root" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/root" "$work/told" "$work/wheels" "$work/around"
git clone --quiet --bare --single-branch . "$work/told/portal.git"
git archive HEAD | tar -x -C "$work/around"
mount --bind "${INSTALL_ROOT:-/}" "$work/root"
cat >"$work/told/trial.service" <<'UNIT'
[Service]
Type=oneshot
WorkingDirectory=/opt/around
Environment=PIP_NO_INDEX=1 PIP_FIND_LINKS=/opt/wheels-for-portal
ExecStart=/usr/bin/python3 -m tests.operations.inside
ExecStopPost=/bin/systemctl --no-block poweroff
UNIT

in_container() {
  timeout --kill-after=10 900 systemd-nspawn --quiet --directory="$work/root" --volatile=overlay --register=no \
    --keep-unit --machine=portal-install --bind="$work/told:/opt/told" --bind="$work/around:/opt/around" \
    --bind="$work/wheels:/opt/wheels-for-portal" "$@"
}

echo "Fetching Python's packages ..."
# shellcheck disable=SC2086 # one argument a word
in_container --pipe ${INSTALL_ARGS:-} /bin/sh -ec '
  /usr/bin/python3 -m venv /tmp/fetch
  for lock in requirements-pip.txt requirements.txt; do
    /tmp/fetch/bin/python -m pip download --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
      --dest /opt/wheels-for-portal -r /opt/around/$lock
  done' </dev/null

echo "Booting ..."
in_container --private-network --boot --bind-ro="$work/told/trial.service:/etc/systemd/system/trial.service" systemd.wants=trial.service </dev/null >"$work/boot.log" 2>&1 || true
cat "$work/told/held" 2>/dev/null || true
if [ ! -e "$work/told/all" ]; then
  tail -n 60 "$work/told/log" >&2 2>/dev/null || tail -n 60 "$work/boot.log" >&2
  echo "The document did not lead to a portal." >&2
  exit 1
fi
