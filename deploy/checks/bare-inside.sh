# Inside the container of bare.sh, as root: what somebody without rights does, and what they have root do for them. For
# bash, whose jobs have process groups of their own without a terminal, too.
set -eum
began=$(date +%s)
held() { echo "held: $* ($(($(date +%s) - began)) s)"; began=$(date +%s); }
as_someone() { setpriv --reuid=someone --regid=someone --init-groups --reset-env "$@"; }
page() { as_someone python3 -c "
import sys, urllib.request
try:
    sys.exit(urllib.request.urlopen('http://127.0.0.1:$PORT/accounts/login/', timeout=5).status != 200)
except OSError:
    sys.exit(1)"; }

. /etc/os-release
echo "$PRETTY_NAME, $(python3 --version)"
id someone >/dev/null 2>&1 || useradd --create-home someone
chown -R someone: /opt/portal.git
cd /home/someone
rm -rf portal
as_someone git clone --quiet /opt/portal.git portal
cd portal
held "cloned $(as_someone git rev-parse --short HEAD)"

for time in first second; do
  # A job of its own group, as a terminal has it; Ctrl-C goes to all of it.
  as_someone env PORT="$PORT" make run >/tmp/make-run.log 2>&1 &
  until page; do
    kill -0 %% 2>/dev/null && [ $(($(date +%s) - began)) -lt 900 ] || { cat /tmp/make-run.log; exit 1; }
    sleep 0.5
  done
  held "make run, the $time time: its page answers"
  kill -INT %%
  wait %% || true
  ! page
  ! pgrep -u someone >/dev/null 2>&1 || { echo "Something runs on:"; pgrep -au someone; exit 1; }
  held "Ctrl-C: all of it has ended"
done

if ! as_someone sh tests/install-servers.sh 2>/tmp/missing; then
  [ "$(wc -l </tmp/missing)" = 1 ]
  held "$(cat /tmp/missing)"
  sh tests/install-servers.sh
  held "root has installed them"
fi
as_someone make test ${TEST_ARGS:+ARGS="$TEST_ARGS"}
held "make test: exit 0"
