#!/bin/sh
# Names known faults of what is locked, by the advisories of the Python Package Index, where that is within reach. It
# stops nothing: a fault that became known today is no fault of today's change.
set -eu

# Where pip-audit itself asks.
service=${ADVISORIES:-$(python -c "import inspect, re, pip_audit._service.pypi as asked
print(re.search(r'https://[\w.]+/pypi', inspect.getsource(asked)).group())")}
pip=$(sed -n 's/^pip==\([^ ]*\) .*/\1/p' requirements-pip.txt)
# A mirror of the packages may answer here, and know of no advisories.
if ! python -c "import json, sys, urllib.request as u
json.load(u.urlopen(sys.argv[1], timeout=5))['vulnerabilities']" "$service/pip/$pip/json" 2>/dev/null; then
  echo "Not looked for: the advisories of $service are out of reach"
  exit 0
fi
for lock in "$@"; do
  timeout 120 pip-audit --disable-pip --require-hashes --progress-spinner off --timeout 10 --requirement "$lock" ||
    echo "$lock: see above, and docs/OPERATIONS.md, \"Faults of dependencies\""
done
