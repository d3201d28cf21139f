#!/bin/sh
# Makes sure that what tests and checks need beside Python is there: TypeScript's compiler, spin and a C compiler for the
# checks ("checks" as argument), and PostgreSQL, PgBouncer, Redis, promtool, nginx, Caddy, Chromium and xmlsec1 (which signs for the tests' SAML
# provider) for the tests. On Debian as root it installs what is missing; elsewhere it says in one line what is.
set -eu

missing=""
if [ "${1:-}" = checks ]; then
  command -v tsc >/dev/null || missing="$missing node-typescript"
  command -v spin >/dev/null || missing="$missing spin"
  command -v cc >/dev/null || missing="$missing gcc libc6-dev"
else
  ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || missing="$missing postgresql"
  [ -x /usr/sbin/pgbouncer ] || missing="$missing pgbouncer"
  command -v redis-server >/dev/null || missing="$missing redis-server"
  command -v promtool >/dev/null || missing="$missing prometheus"
  [ -x /usr/sbin/nginx ] || missing="$missing nginx-light"
  command -v caddy >/dev/null || missing="$missing caddy"
  command -v openssl >/dev/null || missing="$missing openssl"
  command -v curl >/dev/null || missing="$missing curl"
  command -v xmlsec1 >/dev/null || missing="$missing xmlsec1"
  for browser in chromium chromium-headless-shell; do
    [ -x "/usr/bin/$browser" ] || missing="$missing $browser"
  done
  [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] || missing="$missing fonts-dejavu-core"
fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "The tests need:$missing (Debian's package names)" >&2
  exit 1
fi
echo "Installing for the tests:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # one word a package
apt-get install -y -qq --no-install-recommends $missing >/dev/null
