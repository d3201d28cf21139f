#!/bin/sh
# Makes the virtual environment $1 with the newest version of everything that the requirements name,
# pins and bounds aside, and says what differs from the locks. PYTHON makes it, UV fills it.
set -eu
venv=$1

rm -rf "$venv"
"$PYTHON" -m venv --without-pip "$venv"
wanted=$(mktemp)
trap 'rm -f "$wanted"' EXIT
# A name and its extras are what counts; a line that begins with a dash refers to another file.
cat requirements.in requirements-*.in | sed -E '/^(-|#|$)/d; s/^([A-Za-z0-9._-]+(\[[a-z,-]+\])?).*/\1/' >"$wanted"
"$UV" pip install --quiet --python "$venv/bin/python" --upgrade --only-binary :all: -r "$wanted"

echo "Newer than the locks:"
"$UV" pip freeze --quiet --python "$venv/bin/python" | tr 'A-Z_' 'a-z-' | sort >"$wanted"
cat requirements*.txt | sed -nE 's/^([A-Za-z0-9._-]+==[^ ;]+).*/\1/p' | tr 'A-Z_' 'a-z-' | sort -u \
  | comm -13 - "$wanted" | sed 's/^/  /'
