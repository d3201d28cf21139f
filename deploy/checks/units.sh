#!/bin/sh
# The shipped units under a real systemd: started, asked, and each first process killed. Boots this
# machine's own Debian as a container whose changes are thrown away (Debian: systemd-container), so
# it wants root, and a minute for the packages. Prints a line for each thing that held.
set -eu
cd "$(dirname "$0")/../.."

work=$(mktemp -d /var/tmp/portal-units-XXXXXX)
trap 'umount "$work/root" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/root" "$work/portal" "$work/told"
git archive HEAD | tar -x -C "$work/portal"
cp deploy/checks/units-inside.sh "$work/told/"
mount --bind / "$work/root"

in_container() {
  timeout --kill-after=10 300 systemd-nspawn --quiet --directory="$work/root" --volatile=overlay --register=no \
    --keep-unit --machine=portal-units --bind="$work/portal:/opt/portal" --bind="$work/told:/opt/told" "$@"
}

echo "Installing the portal as docs/OPERATIONS.md says ..."
in_container --pipe /bin/sh -ec '
  /usr/bin/python3 -m venv /opt/portal/.venv
  /opt/portal/.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --only-binary :all: --require-hashes -r /opt/portal/requirements.txt' </dev/null

cat >"$work/told/trial.service" <<'UNIT'
[Service]
Type=oneshot
ExecStart=/bin/sh /opt/told/units-inside.sh
ExecStopPost=/bin/systemctl --no-block poweroff
UNIT
echo "Booting ..."
in_container --private-network --boot \
  --bind-ro="$work/told/trial.service:/etc/systemd/system/trial.service" \
  systemd.wants=trial.service </dev/null >"$work/boot.log" 2>&1 || true
cat "$work/told/held" 2>/dev/null || true
if [ ! -e "$work/told/all" ]; then
  tail -n 40 "$work/told/log" "$work/boot.log" >&2 2>/dev/null || true
  echo "The units did not hold." >&2
  exit 1
fi
