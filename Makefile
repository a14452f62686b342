# chatserv: install, run, test.
#
# Variables (make run CONFIG=settings.toml):
#   PYTHON     the interpreter that makes the virtual environment, 3.11 or later  (python3; Debian's own,
#              /usr/bin/python3, where that alone has Tk, which the window needs)
#   VENV       the virtual environment                                           (.venv)
#   CONFIG     run: the settings file, JSON or TOML                              (none: the defaults)
#   STATE_DIR  run: the directory of keys, database and logs                     (the user's own)
#   BREAK      demo, demo-cluster: 1 breaks the demonstration on purpose; it must then fail
#   STORE      demo, kills, file-kills, restart-drill, prove-blind, faults, faults-short: where the store is (sqlite);
#              postgres: in a PostgreSQL of their own; cluster: the same, and the server is one of two nodes
#   NODES      cluster: how many                                                 (3)
#   DRILLS     cluster-drill: the names of some drills                           (all)
#   OFF        cluster-drill: 1 switches the rule of each off; it must then fail
#   SHORT      cluster-drill: 1 plays each in small
#   LEAK       prove-blind: 1 makes the server leak everywhere; it must then be found out
#   MUTATIONS  mutations: how many broken copies of each structure              (100000)
#   HISTORIES  histories: how many                                              (100)
#   KILLS      kills, file-kills: how often somebody is killed                  (200)
#   RESTARTS   restart-drill: how often the server is restarted                 (20)
#   MINUTES    honest: how long                                                 (30)
#   RATE       honest: lines a second                                           (20)
#   LINES      honest: how many lines, in place of MINUTES                      (none)
#   SEED       honest: of all chances                                           (another one each time; it is printed)
#   IRCTEST    irctest: a checkout of https://github.com/progval/irctest
#   PYTEST     irctest: a pytest that has what irctest needs                     (pytest)
#   BASE       bench-compare: the revision to compare with
#   SECONDS    fuzz: how long, all targets together                              (3600)
#   TARGET     fuzz: some targets                                               (all)
#   ROWS       faults, faults-short: the numbers of some rows                   (all)
#   ARGS       bench, bench-peers, bench-compare, test, latest: further arguments of the program behind them
#   JOBS       test, coverage, faults, faults-short: so many tests or rows at once (1)
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
STORE ?=
HISTORIES ?= 100
KILLS ?= 200
RESTARTS ?= 20
MINUTES ?= 30
RATE ?=
LINES ?=
SEED ?=
MUTATIONS ?= 100000
NODES ?= 3
DRILLS ?=
OFF ?=
SHORT ?=
ROWS ?=
SECONDS ?= 3600
IRCTEST ?=
PYTEST ?= pytest
TARGET ?=
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
ON_STORE = $(if $(STORE),--store $(call shell_word,STORE))
STAMP_STORE = $(VENV)/.stamp-$(if $(filter-out sqlite,$(STORE)),test,run)
# A variable's value as one word for the shell, whatever stands in it.
shell_word = '$(subst ','\'',$(value $(1)))'

.PHONY: help run supervised procmon-drill addresses-drill install test coverage dev lint types layers docs audit fuzz demo demo-cluster cluster cluster-drill prove-blind kills file-kills restore-drill faults faults-short honest liar histories mutations irctest screenshots bench bench-peers bench-compare catalogues lock latest wheel deb container news clean
.DELETE_ON_ERROR:

help:  ## show this
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | awk -F'|' '{ printf "  %-16s %s\n", $$1, $$2 }'

run: $(VENV)/.stamp-run  ## install what the server needs, and start it in front
	$(BIN)/twistd --nodaemon --pidfile= chatserv \
	    $(if $(CONFIG),--config $(call shell_word,CONFIG)) $(if $(STATE_DIR),--state-dir $(call shell_word,STATE_DIR))

supervised: $(VENV)/.stamp-run  ## the same, started again whenever it ends: for machines without systemd
	deploy/supervised $(abspath $(BIN)) \
	    $(if $(CONFIG),--config $(call shell_word,CONFIG)) $(if $(STATE_DIR),--state-dir $(call shell_word,STATE_DIR))

install: $(VENV)/.stamp-run  ## install what the server and the clients need

test: $(VENV)/.stamp-test  ## run the tests
	@$(BIN)/python -m twisted.trial $(if $(JOBS),-j$(JOBS)) $(or $(ARGS),tests)

coverage: $(VENV)/.stamp-test  ## the same, half as slow again; fail where less than 90 % of chatserv/ is covered, branches included
	@code=0; \
	$(BIN)/python -m coverage erase; \
	$(BIN)/python -m coverage run -m twisted.trial $(if $(JOBS),-j$(JOBS)) tests || code=$$?; \
	$(BIN)/python -m coverage combine --quiet && $(BIN)/python -m coverage report || code=$$?; \
	exit $$code

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

audit: $(VENV)/.stamp-dev  ## what is known to go wrong: in our code by bandit, in what is locked by pip-audit where its service answers
	@said=$$($(BIN)/bandit --quiet --configfile pyproject.toml --recursive chatserv clients 2>&1) \
	    || { echo "$$said"; exit 1; }; echo 'bandit: nothing found'
	$(BIN)/python -m tests.support.locked_audit

fuzz: $(VENV)/.stamp-test  ## bytes that nobody meant, an hour long, by Atheris (SECONDS=n TARGET='record export')
	$(BIN)/python -c 'import atheris' 2>/dev/null || $(PIP) --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(TARGET)

demo: $(STAMP_STORE)  ## a server and its clients, started and judged
	$(BIN)/python -m chatserv.testing.demo.run $(ON_STORE) $(if $(filter-out 0,$(BREAK)),--break)

cluster: $(VENV)/.stamp-test  ## a PostgreSQL, a bus server and three nodes on this machine, until Ctrl-C (NODES=n)
	$(BIN)/python -m chatserv.testing.cluster --nodes $(NODES)

demo-cluster: $(VENV)/.stamp-test  ## people on three nodes, one of which is killed: started and judged
	$(BIN)/python -m chatserv.testing.demo.cluster $(if $(filter-out 0,$(BREAK)),--break)

cluster-drill: $(VENV)/.stamp-test  ## what becomes of several nodes, a line each (DRILLS='kills herd' SHORT=1 OFF=1)
	$(BIN)/python -m tests.drills $(if $(filter-out 0,$(SHORT)),--short) $(if $(filter-out 0,$(OFF)),--off) $(DRILLS)

prove-blind: $(STAMP_STORE)  ## search everything that a server has for what people wrote
	$(BIN)/python -m chatserv.testing.blindness.run $(ON_STORE) $(if $(filter-out 0,$(LEAK)),--leak)

kills: $(STAMP_STORE)  ## people talk while the server is killed 200 times (KILLS=n)
	$(BIN)/python -m chatserv.testing.demo.kills $(ON_STORE) --kills $(KILLS)

file-kills: $(STAMP_STORE)  ## files are carried while server, sender and receiver are killed 200 times in all (KILLS=n)
	$(BIN)/python -m chatserv.testing.demo.file_kills $(ON_STORE) --kills $(KILLS)

faults: $(VENV)/.stamp-test  ## every fault that the server has to survive, a line each (ROWS='1 7' JOBS=n)
	$(BIN)/python -m tests.faults $(ON_STORE) $(if $(JOBS),--jobs $(JOBS)) $(ROWS)

faults-short: $(VENV)/.stamp-test  ## the same in small: a few seconds each
	$(BIN)/python -m tests.faults --short $(ON_STORE) $(if $(JOBS),--jobs $(JOBS)) $(ROWS)

restart-drill: $(STAMP_STORE)  ## people talk while the server is restarted 20 times (RESTARTS=n): nothing lost, all back when
	$(BIN)/python -m chatserv.testing.demo.kills $(ON_STORE) --restart --kills $(RESTARTS)

upgrade-drill: $(VENV)/.stamp-test  ## what 0.1.0 left is opened by this version; and both serve one database in turns
	$(BIN)/python -m twisted.trial tests.integration.test_upgrade
	$(BIN)/python -m tests.faults 13

restore-drill: $(VENV)/.stamp-test  ## a backup under load, the machine is lost, the backup is put back, and people come back
	$(BIN)/python -m tests.faults.restore_drill

honest: $(VENV)/.stamp-run  ## honest people talk while everything dies now and then: nobody is accused (MINUTES=n SEED=n RATE=n LINES=n)
	$(BIN)/python -m chatserv.testing.demo.honest --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) \
	    $(if $(RATE),--rate $(RATE)) $(if $(LINES),--lines $(LINES))

procmon-drill: $(VENV)/.stamp-test  ## the server under procmon is killed, and says how long it was away (KILLS=n)
	$(BIN)/python -m tests.support.procmon_drill $(if $(filter-out 200,$(KILLS)),--kills $(KILLS))

addresses-drill: $(VENV)/.stamp-test  ## a server at two addresses, one of which dies again and again: how long its client is away
	$(BIN)/python -m tests.support.addresses_drill

liar: $(VENV)/.stamp-test  ## a server that lies, one lie at a time: who notices, after what, in which words
	$(BIN)/python -m tests.liar.run

histories: $(VENV)/.stamp-test  ## random histories of people whose devices come and go: who may read reads everything (HISTORIES=n)
	CHATSERV_HISTORIES=$(HISTORIES) $(BIN)/python -m twisted.trial tests.client.test_histories

mutations: $(VENV)/.stamp-test  ## parse and verify broken copies of every structure
	CHATSERV_MUTATIONS=$(MUTATIONS) $(BIN)/python -m twisted.trial tests.crypto.test_mutations \
	    tests.crypto.test_statement_mutations tests.crypto.test_commits tests.crypto.test_room_state \
	    tests.crypto.test_log_leaves tests.crypto.test_bodies

irctest: $(VENV)/.stamp-test  ## the IRC gateway under the tests of progval/irctest (IRCTEST=checkout PYTEST=pytest)
	$(BIN)/python -m tests.irctest.run '$(or $(IRCTEST),$(error where is irctest? make irctest IRCTEST=checkout))' --pytest '$(PYTEST)'

screenshots: $(VENV)/.stamp-test  ## docs/images: pictures of the clients (needs Xvfb, openbox, xdotool, xterm, ImageMagick)
	$(BIN)/python -m tests.support.screenshots

bench: $(VENV)/.stamp-run  ## what server and clients cost: the quick parts and a table (ARGS='s1 s4 --full')
	$(BIN)/python -m bench $(ARGS)

bench-peers: $(VENV)/.stamp-run  ## ours, ngircd and InspIRCd under the same load, and the ratios (ARGS='s1 s2 --runs 3')
	$(BIN)/python -m bench.peers $(ARGS)

bench-compare: $(VENV)/.stamp-run  ## parts on another revision and on this tree, in turns, and the ratios (BASE=rev ARGS='s1 s2')
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

wheel: $(VENV)/.stamp-dev  ## dist/: sdist and wheel of the last commit, from a clean clone (without git, of what lies here)
	rm -rf build/clean
	rm -f dist/*.whl dist/*.tar.gz
	$(if $(wildcard .git),git clone --quiet --no-local --depth 1 . build/clean)
	$(BIN)/python -m build --no-isolation --outdir dist $(if $(wildcard .git),build/clean,.)

deb: wheel  ## dist/: a Debian package of the last commit, with an environment of its own
	deploy/make-deb dist/*.whl dist

container:  ## a container image, by podman or docker
	$(shell command -v podman || command -v docker) build --file deploy/Containerfile --tag chatserv .

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
