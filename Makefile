# Everything that a person or CI does with this checkout; `make` alone says what there is.
#
# Works as root in a fresh clone on Debian: what is missing is installed, into .venv or as a Debian package.

# Debian's own, whatever `python3` is in PATH: only this one has Debian's python3-milter and the like.
PYTHON = /usr/bin/python3

# Touched when .venv holds what pyproject.toml asks for.
VENV = .venv/.complete
PYTEST_DEBIAN = -W ignore::ResourceWarning -W ignore::pytest.PytestUnraisableExceptionWarning

.PHONY: help demo test test-debian test-valkey test-debian13 test-clients test-faults bench lint types deb check clean root packages
.NOTPARALLEL:

help:
	@echo 'make demo          a real Postfix with Franking, and what it does to a handful of messages; seconds'
	@echo 'KEEP=1 make demo   the same, and leaves it running for mail of your own'
	@echo 'make test          every test, with the newest releases of what Franking needs'
	@echo 'make test-debian   every test, with the versions that Debian ships'
	@echo 'make test-valkey   what counts and fails in Redis, with Valkey instead'
	@echo 'make test-debian13 as test-debian, in a Debian 13 made for it: Dovecot 2.4, Postfix 3.10, Python 3.13; minutes'
	@echo 'make test-clients  what applications send with, from Rails to swaks: installs them all; docs/clients.md has the result'
	@echo 'make test-faults   Redis and Franking fail in every way while mail flows, and a table of what it cost; minutes'
	@echo 'make bench         what 10,000 accounts cost to load; Postfix with Franking against without'
	@echo 'make lint          ruff: rules and formatting'
	@echo 'make types         mypy, strict'
	@echo 'make deb           the Debian package, in dist/: installs what its build needs'
	@echo 'make check         lint, types, test, test-debian, test-valkey, test-clients and deb: what CI runs'
	@echo 'make clean         remove .venv and whatever else was generated'

demo: root
	@contrib/install-packages demo
	@$(PYTHON) contrib/demo

test: root $(VENV)
	.venv/bin/python -m pytest

# The same with Debian's Python and libraries, which is what its users run: redis-py, hiredis, PyYAML and pytest are
# years older there, and differ. redis-py 4.3 leaves a socket that could not connect to the garbage collector, which
# warns in whichever test it runs: not ours to mend, so no error here as it is in `make test`.
# No cache, for it would be mistaken for that of the other run.
test-debian: root packages
	PYTHONPATH=policy:milter:contrib $(PYTHON) -m pytest -p no:cacheprovider $(PYTEST_DEBIAN)

# The tests start `redis-server`, whichever comes first; FRANKING_REDIS has them look that it is this one.
test-valkey: root $(VENV)
	@contrib/unpack-valkey .valkey
	PATH="$(CURDIR)/.valkey/bin:$$PATH" FRANKING_REDIS=valkey .venv/bin/python -m pytest tests/ledger tests/faults

test-debian13: root packages
	@command -v debootstrap >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq debootstrap
	@contrib/in-debian trixie sh -c 'contrib/install-packages test && make test-debian'

# `make test` runs those whose client is here, and skips the others.
test-clients: root $(VENV)
	@contrib/install-packages clients
	FRANKING_CLIENTS=all .venv/bin/python -m pytest tests/clients

# `make test` has a short form of each.
test-faults: root $(VENV)
	FRANKING_FAULTS=long .venv/bin/python -m pytest -s -q tests/faults

bench: root $(VENV)
	.venv/bin/python tests/bench/load.py
	.venv/bin/python tests/bench/bench.py

# The rules for stubs forbid what ours demand: docstrings.
lint: $(VENV)
	.venv/bin/ruff check --extend-exclude typings .
	.venv/bin/ruff format --check .

types: $(VENV)
	.venv/bin/mypy

deb: root packages
	@contrib/install-packages package
	packaging/build-deb dist

check: root lint types test test-debian test-valkey test-clients deb

clean:
	rm -rf .venv .valkey .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -prune -exec rm -rf {} +

# Anew whenever pyproject.toml changes, so that nothing of yesterday's is left in it.
$(VENV): pyproject.toml | packages
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install -qq --disable-pip-version-check -e '.[dev]'
	@touch $@

packages:
	@contrib/install-packages test

root:
	@[ "$$(id -u)" = 0 ] || { \
	  echo 'only root can start Postfix and Dovecot: run sudo make $(MAKECMDGOALS), or use a container' >&2; exit 1; }
