#!/bin/sh
# Restarts the portal on one host after another; each must be ready before the next one is touched.
#
#   deploy/rolling-restart.sh app1.internal app2.internal
#
# SSH reaches each host and may run systemctl as root. PORTAL_PORT (8000), PORTAL_MONITOR_TOKEN and REMOTE (how a
# command is run on a host, "ssh -o BatchMode=yes") come from the environment. Migrate before (docs/OPERATIONS.md).
set -eu

[ $# -gt 0 ] || { echo "usage: $0 HOST..." >&2; exit 2; }
remote=${REMOTE:-ssh -o BatchMode=yes}
port=${PORTAL_PORT:-8000}
ready="curl --silent --fail --max-time 5 --header 'Authorization: Bearer ${PORTAL_MONITOR_TOKEN:-}' http://127.0.0.1:$port/readyz"

for host in "$@"; do
  echo "$host: restarting"
  # shellcheck disable=SC2086 # REMOTE is a command with its options
  $remote "$host" "systemctl restart portal-worker portal-scheduler && systemctl restart portal-web"
  tries=0
  # shellcheck disable=SC2086
  until $remote "$host" "$ready" | grep -q '"status"'; do
    tries=$((tries + 1))
    [ "$tries" -lt 30 ] || { echo "$host: not ready after a minute; the others are left as they are" >&2; exit 1; }
    sleep 2
  done
  # The proxy leaves a host alone for a moment after it has refused.
  sleep "${PORTAL_PAUSE:-5}"
  echo "$host: ready"
done
