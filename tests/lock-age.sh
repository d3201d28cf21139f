#!/bin/sh
# Names a lock that is old: what was mended since is not in it. FILE holds the day of the last `make lock`.
set -eu

locked=$(cat "$1")
today=$(date -u +%s)
days=$(((today - $(date -u -d "$locked" +%s)) / 86400))
if [ "$days" -gt 30 ]; then
  echo "The lock is $days days old: run make lock LOCK_ARGS=--upgrade, and make test"
fi
