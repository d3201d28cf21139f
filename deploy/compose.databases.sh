#!/bin/sh
# Run once by the postgres image, when its volume is empty: the two roles and the database.
set -eu

# Passwords go in by psql's variables, which quote them.
psql --username postgres --set ON_ERROR_STOP=1 \
  --set owner="$(cat /run/secrets/owner_password)" --set runtime="$(cat /run/secrets/runtime_password)" <<'SQL'
CREATE ROLE portal_owner LOGIN PASSWORD :'owner';
CREATE ROLE portal_runtime LOGIN PASSWORD :'runtime';
CREATE DATABASE portal OWNER portal_owner;
SQL
