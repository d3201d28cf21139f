#!/bin/sh
# Names known faults of what is locked, by the advisories of the Python Package Index, where that is within reach. It
# stops nothing: a fault that became known today is no fault of today's change.
set -eu

service=${ADVISORIES:-https://pypi.org/pypi}
if ! python -c "import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=5)" "$service/pip/json" 2>/dev/null; then
  echo "Not looked for: $service is out of reach"
  exit 0
fi
for lock in "$@"; do
  timeout 120 pip-audit --disable-pip --require-hashes --progress-spinner off --timeout 10 --requirement "$lock" ||
    echo "$lock: see above, and docs/OPERATIONS.md, \"Faults of dependencies\""
done
