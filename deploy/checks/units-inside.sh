# Inside the container of units.sh: what an operator does, and then what no operator does.
set -eu
exec >/opt/told/log 2>&1
held() { echo "$*" >>/opt/told/held; }
within() { # seconds, command
  until=$(($(date +%s) + $1)); shift
  while ! "$@"; do
    [ "$(date +%s)" -lt "$until" ] || return 1
    sleep 0.2
  done
}

useradd --system --no-create-home portal
install -d -m 0700 /etc/portal
redis-server --port 6390 --daemonize yes --save '' >/dev/null
cat >/etc/portal/portal.env <<ENV
SECRET_KEY=$(head -c 36 /dev/urandom | base64)
AUDIT_KEY=$(head -c 36 /dev/urandom | base64)
PORTAL_ORIGIN=https://tokens.example.com
ALLOWED_HOSTS=tokens.example.com
DATABASE_URL=sqlite:////var/lib/portal/portal.sqlite3
CELERY_BROKER_URL=redis://127.0.0.1:6390/0
EMAIL_URL=smtp://127.0.0.1:1
PORTAL_MAIL_FROM=tokens@example.com
AWS_REGION=eu-west-1
AWS_ENDPOINT_URL_GRAFANA=http://127.0.0.1:1
ENV
grep DATABASE_URL /etc/portal/portal.env >/etc/portal/owner.env
chmod 0600 /etc/portal/*.env
cp /opt/portal/deploy/systemd/*.service /etc/systemd/system/
systemctl daemon-reload

answers() {
  curl --silent --fail --max-time 2 -H 'Host: tokens.example.com' -H 'X-Forwarded-Proto: https' \
    http://127.0.0.1:8000/healthz >/dev/null
}
serves() { systemctl is-active --quiet "$1"; }
has_children() { # unit, how many at least
  [ "$(pgrep -c -P "$(systemctl show --property MainPID --value "$1")")" -ge "$2" ]
}

systemctl start portal-migrate
systemctl start portal-web portal-worker portal-scheduler
within 60 answers
within 60 has_children portal-web 4
within 60 has_children portal-worker 4
held "started: migrate, web, worker, scheduler; /healthz answers"

is_another() { [ "$(systemctl show --property MainPID --value "$1")" -gt 0 ] &&
  [ "$(systemctl show --property MainPID --value "$1")" != "$2" ]; }
are_gone() { for pid; do [ ! -e "/proc/$pid" ] || return 1; done; }

for unit in portal-web portal-worker portal-scheduler; do
  first=$(systemctl show --property MainPID --value "$unit")
  children=$(pgrep -P "$first" || true)
  began=$(date +%s%3N)
  kill -KILL "$first"
  within 30 is_another "$unit" "$first"
  # shellcheck disable=SC2086 # one id a word
  within 1 are_gone $children
  within 60 serves "$unit"
  if [ "$unit" = portal-web ]; then within 60 answers; fi
  held "$unit: killed, its $(echo "$children" | wc -w) children ended with it, served again after" \
    "$(($(date +%s%3N) - began)) ms"
done

began=$(date +%s%3N)
systemctl stop portal-web portal-worker portal-scheduler
held "stopped in $(($(date +%s%3N) - began)) ms"
[ "$(systemctl show --property Result --value portal-web)" = success ]
touch /opt/told/all
