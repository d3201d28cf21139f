#!/bin/sh
# What `make check` checks, each with its name; stops at the first that fails.
set -eu

say() { printf '%s\n' "-- $1"; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PORTAL_DATA_DIR="$scratch/data"

say "formatting"
ruff format --check --quiet .
say "lint"
ruff check --quiet .
say "types"
mypy
say "types of scripts"
tsc -p tests/jsconfig.json
say "import contracts"
lint-imports --no-cache
say "the model of a token's life"
python -m tests.model
say "missing migrations"
python manage.py makemigrations --check --dry-run
say "production settings"
SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(48))')
AUDIT_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(48))')
export SECRET_KEY AUDIT_KEY
DATABASE_URL=postgres://portal@127.0.0.1/portal CELERY_BROKER_URL=rediss://127.0.0.1:6379/0 \
  ALLOWED_HOSTS=tokens.example.com PORTAL_ORIGIN=https://tokens.example.com \
  EMAIL_URL=smtp+tls://mail.example.com:587 PORTAL_GRAFANA=aws \
  python manage.py check --deploy --fail-level WARNING
say "stale lock"
locks="requirements requirements-embedded requirements-saml requirements-otel requirements-dev requirements-pip requirements-sbom"
for name in $locks; do
  cp "$name.txt" "$scratch/$name.txt"
done
for name in $locks; do
  uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
    --no-emit-index-url --no-header "$name.in" --output-file "$name.txt"
  cmp -s "$name.txt" "$scratch/$name.txt" || { cp "$scratch/$name.txt" "$name.txt"; stale="$name.txt"; }
done
[ -z "${stale:-}" ] || { echo "$stale does not follow from its .in file: run make lock" >&2; exit 1; }
sh tests/lock-age.sh requirements.locked
say "known faults of dependencies"
sh tests/known-faults.sh requirements.txt requirements-embedded.txt requirements-saml.txt requirements-otel.txt
echo "all checks passed"
