#!/bin/sh
# The README's commands on a bare Debian, by a user without rights: clone, `make run` until its page is there, Ctrl-C,
# `make test`. `sh deploy/checks/bare.sh trixie` is Debian 13, `bookworm` Debian 12. Wants root, debootstrap,
# systemd-container, and as long as the tests take. BARE_ARGS are more arguments of systemd-nspawn, such as
# --bind-ro=/etc/pip.conf where pip is to be told of an index; BARE_WORK keeps the system for the next time.
set -eu
cd "$(dirname "$0")/../.."
suite=$1

work=${BARE_WORK:-$(mktemp -d /var/tmp/portal-bare-XXXXXX)}
[ -n "${BARE_WORK:-}" ] || trap 'rm -rf "$work"' EXIT
mkdir -p "$work"
if [ ! -e "$work/$suite.made" ]; then
  echo "Installing $suite ..."
  debootstrap --variant=minbase --include=ca-certificates,git,make,python3,python3-venv "$suite" "$work/$suite" \
    "${BARE_MIRROR:-http://deb.debian.org/debian}" >"$work/$suite.log"
  touch "$work/$suite.made"
fi
rm -rf "$work/portal.git"
git clone --quiet --bare --single-branch . "$work/portal.git"

# Its /tmp is on the disk: PostgreSQL's files of a whole test run are too many for memory.
# shellcheck disable=SC2086 # one argument a word
SYSTEMD_NSPAWN_TMPFS_TMP=0 systemd-nspawn --quiet --directory="$work/$suite" --register=no --keep-unit --as-pid2 \
  --machine="portal-bare-$suite" --resolv-conf=copy-host --pipe --setenv=PORT="${PORT:-8000}" \
  --bind="$work/portal.git:/opt/portal.git" --bind-ro="$PWD/deploy/checks/bare-inside.sh:/opt/bare-inside.sh" \
  ${BARE_ARGS:-} /bin/bash /opt/bare-inside.sh </dev/null
