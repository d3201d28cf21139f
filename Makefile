# The four verbs: run, test, check, bench. Each does its own set-up.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install \
  --require-hashes --only-binary :all:

IN_PARALLEL := -q -n 3 --dist loadfile --no-loadscope-reorder

.PHONY: run test check bench pictures chaos hosts deploy-check units-check install-check bare-check next lock sbom clean

run: $(VENV)/.run
	@PORTAL_EMBEDDED=1 PYTHONUNBUFFERED=1 exec $(BIN)/python manage.py run

# A virtual environment counts once pip runs in it: one that was interrupted is made anew.
$(VENV)/.made:
	@command -v "$(PYTHON)" >/dev/null \
	  || { echo "There is no $(PYTHON) here: install Python 3.11 or newer." >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@mkdir -p $(VENV) 2>/dev/null && touch $(VENV)/.writable 2>/dev/null && rm $(VENV)/.writable \
	  || { echo "This user can't write here: $$PWD/$(VENV)" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  "$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null \
	    || { echo "Python's venv module is needed (Debian: apt-get install python3-venv)." >&2; exit 1; }; \
	  "$(PYTHON)" -m venv --clear $(VENV) \
	    || { echo "The virtual environment could not be made: see above." >&2; exit 1; }; }
	@touch $@

# Only wheels, so nothing is built here, and no build tool has to be pinned; pip itself is.
$(VENV)/.run: $(VENV)/.made requirements-pip.txt requirements.txt requirements-embedded.txt
	@echo "Installing what the portal needs into $(VENV) ..."
	@$(PIP) -r requirements-pip.txt
	@$(PIP) -r requirements.txt -r requirements-embedded.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt requirements-saml.txt requirements-otel.txt requirements-sbom.txt
	@echo "Installing what tests and checks need into $(VENV) ..."
	@$(PIP) -r requirements-dev.txt -r requirements-saml.txt -r requirements-otel.txt -r requirements-sbom.txt
	@touch $@

# Everything on the embedded default; then what touches database and broker again, on a real
# PostgreSQL and a real Redis, but for two tables of what HTTP answers, which ask them nothing new.
# Three at a time: many tests wait for a process of their own.
test: $(VENV)/.dev
	@sh tests/install-servers.sh
	@$(BIN)/python -m pytest $(IN_PARALLEL) $(ARGS)
	@PORTAL_TEST_STACK=production $(BIN)/python -m pytest $(IN_PARALLEL) \
	  tests/audit tests/flows tests/reliability tests/views \
	  --ignore=tests/views/test_rights.py --ignore=tests/views/test_edge.py $(ARGS)

check: $(VENV)/.dev
	@sh tests/install-servers.sh checks
	@PATH="$$PWD/$(BIN):$$PATH" sh tests/check.sh

bench: $(VENV)/.dev
	@sh tests/install-servers.sh
	@for bench in bench/*_*.py; do $(BIN)/python -m bench.$$(basename $$bench .py) || exit 1; done

# Every page in both themes at three widths, into docs/pictures; a quarter of an hour.
pictures: $(VENV)/.dev
	@sh tests/install-servers.sh
	@$(BIN)/python -m bench.pictures $(ARGS)

# The faults in their full length and the storm, on both stacks; writes docs/RELIABILITY.md. Leave
# the machine to it, for three quarters of an hour.
chaos: $(VENV)/.dev
	@sh tests/install-servers.sh
	@sh tests/install-servers.sh checks
	@$(BIN)/python -m tests.model --wide
	@mkdir -p -m 700 var/chaos
	@for stack in embedded production; do \
	  export PORTAL_TEST_STACK=$$stack PORTAL_TEST_CHAOS=1; \
	  $(BIN)/python -m pytest -q tests/reliability --junitxml=var/chaos/reliability-$$stack.xml && \
	  $(BIN)/python -m tests.chaos.storm || exit 1; \
	done
	@$(BIN)/python -m tests.chaos.table

# Two hosts, cut off, killed and rolled under load; wants root, and six minutes.
hosts: $(VENV)/.dev
	@unshare --net --mount sh -c 'ip link set lo up && exec $(BIN)/python -m tests.chaos.hosts'

# Lints of the image, of Kubernetes' and Terraform's files and of the units; a minute the first time.
deploy-check:
	@PYTHON="$(PYTHON)" sh deploy/checks/run.sh

# The units under a real systemd, booted as a container of this machine's Debian; wants root.
units-check:
	@sh deploy/checks/units.sh

# docs/OPERATIONS.md, line by line, under a real systemd, with TLS on every connection; wants root.
install-check:
	@sh deploy/checks/install.sh

# The README's commands on a bare Debian, whose name is DEBIAN; wants root, and as long as the tests take.
bare-check:
	@sh deploy/checks/bare.sh $(or $(DEBIAN),trixie)

# The tests on the newest Django, Celery, allauth and all others that the index has, whatever the
# requirements allow, in an environment of its own; it prints what is newer than the locks, and what
# will go later. Where this Python is too old for the newest Django: make next PYTHON=python3.14
next: $(VENV)/.dev
	@PYTHON="$(PYTHON)" UV="$$PWD/$(BIN)/uv" sh tests/next.sh .venv-next
	@touch .venv-next/.made .venv-next/.run .venv-next/.dev
	@$(MAKE) --no-print-directory VENV=.venv-next test \
	  ARGS="-W default::DeprecationWarning -W default::PendingDeprecationWarning $(ARGS)"

# Resolve the locks anew. The lock names no registry: pip uses the one it is set up for.
lock: $(VENV)/.dev
	@for name in requirements requirements-embedded requirements-saml requirements-otel requirements-dev requirements-pip requirements-sbom; do \
	  $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	    --no-emit-index-url --no-header $(LOCK_ARGS) $$name.in --output-file $$name.txt || exit 1; \
	done
	@date -u +%F >requirements.locked

# What the image installs, as CycloneDX has it (docs/OPERATIONS.md).
sbom: $(VENV)/.dev
	@mkdir -p var
	@PATH="$$PWD/$(BIN):$$PATH" sh deploy/sbom.sh var/sbom.cdx.json
	@echo "Written: var/sbom.cdx.json"

clean:
	rm -rf $(VENV) .venv-next var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
