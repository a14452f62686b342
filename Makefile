# chatserv: install, run, test.
#
# Variables (make run CONFIG=settings.toml):
#   PYTHON     the interpreter that makes the virtual environment, 3.11 or later  (python3; Debian's own,
#              /usr/bin/python3, where that alone has Tk, which the window needs)
#   VENV       the virtual environment                                           (.venv)
#   CONFIG     run: the settings file, JSON or TOML                              (none: the defaults)
#   STATE_DIR  run: the directory of keys, database and logs                     (the user's own)
#   BREAK      demo: 1 breaks the demonstration on purpose; it must then fail
#   LEAK       prove-blind: 1 makes the server leak everywhere; it must then be found out
#   MUTATIONS  mutations: how many broken copies of each structure              (100000)
#   KILLS      kills: how often the server is killed                            (200)
#   MINUTES    honest: how long                                                 (30)
#   SEED       honest: of all chances                                           (another one each time; it is printed)
#   BASE       bench-compare: the revision to compare with
#   ARGS       bench, bench-compare, test, latest: further arguments of the program behind them
#   JOBS       test: processes that run tests side by side                      (1)
#   VERSION    news: writes NEWS.rst for this version; without, shows a draft

ifeq ($(origin PYTHON), undefined)
PYTHON := $(shell for each in python3 /usr/bin/python3; do \
    if $$each -c 'import sys, tkinter; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$each; exit; fi; \
    done; echo python3)
endif
VENV ?= .venv
CONFIG ?=
STATE_DIR ?=
BREAK ?=
LEAK ?=
KILLS ?= 200
MINUTES ?= 30
SEED ?=
MUTATIONS ?= 100000
BASE ?=
ARGS ?=
JOBS ?=
VERSION ?=

BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check install --quiet
DECLARED = pyproject.toml setup.py
LOCKED = $(PIP) --require-hashes --requirement
OURSELVES = $(PIP) --no-deps --no-build-isolation --editable .
LOCK = build/lock-venv/bin/uv --no-config --quiet pip compile --universal --python-version 3.11 --generate-hashes \
    --no-annotate --custom-compile-command 'make lock'
LATEST = build/latest-venv
# A variable's value as one word for the shell, whatever stands in it.
shell_word = '$(subst ','\'',$(value $(1)))'

.PHONY: help run install test dev lint types layers docs demo prove-blind kills honest mutations screenshots bench bench-compare catalogues lock latest wheel news clean
.DELETE_ON_ERROR:

help:  ## show this
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "  %-16s %s\n", $$1, $$2 }'

run: $(VENV)/.stamp-run  ## install what the server needs, and start it in front
	$(BIN)/twistd --nodaemon --pidfile= chatserv \
	    $(if $(CONFIG),--config $(call shell_word,CONFIG)) $(if $(STATE_DIR),--state-dir $(call shell_word,STATE_DIR))

install: $(VENV)/.stamp-run  ## install what the server and the clients need

test: $(VENV)/.stamp-test  ## run the tests; fail where less than 90 % of chatserv/ is covered, branches included (not with ARGS)
ifeq ($(ARGS),)
	@code=0; \
	$(BIN)/python -m coverage erase; \
	$(BIN)/python -m coverage run -m twisted.trial $(if $(JOBS),-j$(JOBS)) tests || code=$$?; \
	$(BIN)/python -m coverage combine --quiet && $(BIN)/python -m coverage report || code=$$?; \
	exit $$code
else
	@$(BIN)/python -m twisted.trial $(ARGS)
endif

dev: $(VENV)/.stamp-dev  ## install the developers' tools too

lint: $(VENV)/.stamp-dev  ## rules and format, by ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.stamp-dev  ## types, by mypy
	$(BIN)/mypy

layers: $(VENV)/.stamp-dev  ## who may import whom, by import-linter
	$(BIN)/lint-imports

docs: $(VENV)/.stamp-dev  ## build/docs: the documents by Sphinx, and in api/ the interfaces by pydoctor
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet -b html docs build/docs
	$(BIN)/pydoctor --quiet --quiet

demo: $(VENV)/.stamp-run  ## a server and its clients, started and judged
	$(BIN)/python -m chatserv.testing.demo.run $(if $(filter-out 0,$(BREAK)),--break)

prove-blind: $(VENV)/.stamp-run  ## search everything that a server has for what people wrote
	$(BIN)/python -m chatserv.testing.blindness.run $(if $(filter-out 0,$(LEAK)),--leak)

kills: $(VENV)/.stamp-run  ## people talk while the server is killed 200 times (KILLS=n)
	$(BIN)/python -m chatserv.testing.demo.kills --kills $(KILLS)

honest: $(VENV)/.stamp-run  ## honest people talk while everything dies now and then: nobody is accused (MINUTES=n SEED=n)
	$(BIN)/python -m chatserv.testing.demo.honest --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

mutations: $(VENV)/.stamp-test  ## parse and verify broken copies of every structure
	CHATSERV_MUTATIONS=$(MUTATIONS) $(BIN)/python -m twisted.trial tests.crypto.test_mutations \
	    tests.crypto.test_statement_mutations tests.crypto.test_commits tests.crypto.test_room_state \
	    tests.crypto.test_log_leaves tests.crypto.test_bodies

screenshots: $(VENV)/.stamp-test  ## docs/images: pictures of the clients (needs Xvfb, openbox, xdotool, xterm, ImageMagick)
	$(BIN)/python -m tests.support.screenshots

bench: $(VENV)/.stamp-run  ## benchmarks
	$(BIN)/python -m bench $(ARGS)

bench-compare: $(VENV)/.stamp-run  ## the load on another revision (BASE=rev) and on this tree, in turns, and the ratios
	$(BIN)/python -m bench.compare '$(or $(BASE),$(error which revision? make bench-compare BASE=...))' $(ARGS)

catalogues: $(VENV)/.stamp-test  ## bring chatserv/locale/ up to date, compile it, list what is not translated
	$(BIN)/python -m tests.support.catalogues

lock:  ## requirements/: the newest versions that pyproject.toml allows, with their hashes
	rm -rf build/lock-venv
	$(PYTHON) -m venv build/lock-venv
	build/lock-venv/bin/python -m pip --disable-pip-version-check install --quiet uv
	$(PYTHON) -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['build-system']['requires'])" > build/build.in
	$(LOCK) --upgrade --extra dev --output-file requirements/dev.txt pyproject.toml build/build.in
	$(LOCK) --constraint requirements/dev.txt --extra test --output-file requirements/test.txt pyproject.toml build/build.in
	$(LOCK) --constraint requirements/dev.txt --output-file requirements/run.txt pyproject.toml build/build.in

latest:  ## tests and types with the newest versions that pyproject.toml allows, in an environment of its own
	rm -rf $(LATEST)
	$(PYTHON) -m venv $(LATEST)
	$(LATEST)/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[dev]'
	@code=0; \
	$(LATEST)/bin/python -m twisted.trial $(or $(ARGS),tests) || code=$$?; \
	$(LATEST)/bin/mypy || code=$$?; \
	exit $$code

wheel: $(VENV)/.stamp-dev  ## dist/: sdist and wheel of the last commit, from a clean clone
	rm -rf build/clean
	git clone --quiet --no-local --depth 1 . build/clean
	$(BIN)/python -m build --no-isolation --outdir dist build/clean

news: $(VENV)/.stamp-dev  ## what newsfragments/ will add to NEWS.rst
	$(BIN)/towncrier build $(if $(VERSION),--yes --version '$(VERSION)',--draft --version next)

clean:  ## remove everything that was made here, the virtual environment included
	rm -rf $(VENV) build dist *.egg-info _trial_temp* .coverage .coverage.* .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f twisted/plugins/dropin.cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each set of requirements, installed as locked; `pip install --editable` follows the source by itself.

$(VENV)/.stamp-venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "chatserv needs Python 3.11 or later: make PYTHON=...")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.stamp-run: $(VENV)/.stamp-venv $(DECLARED) requirements/run.txt
	$(LOCKED) requirements/run.txt
	$(OURSELVES)
	@touch $@

$(VENV)/.stamp-test: $(VENV)/.stamp-venv $(DECLARED) requirements/test.txt
	$(LOCKED) requirements/test.txt
	$(OURSELVES)
	@touch $(VENV)/.stamp-run $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-venv $(DECLARED) requirements/dev.txt
	$(LOCKED) requirements/dev.txt
	$(OURSELVES)
	@touch $(VENV)/.stamp-run $(VENV)/.stamp-test $@
