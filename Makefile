# Two commands for everybody: `make run` and `make test`. The rest is for who works on it.
DATA := $(or $(NEXTRADE_DATA_DIR),var)
PORT ?= 8000
PYTHON ?= python3
BIN := .venv/bin
export PORT
export NEXTRADE_PUBLIC_URL ?= http://127.0.0.1:$(PORT)
export NEXTRADE_ALERTD_TARGET ?= http://127.0.0.1:$(PORT)

.PHONY: install run history test verify lint types audit bench machines growth soak campaigns e2e screenshots lock clean

install: .venv/installed $(DATA)/demo_secret_key

.venv/installed: requirements.lock
	$(PYTHON) -m venv .venv
	awk '/^uv==/ { on = 1 } on { print } on && !/\\$$/ { exit }' requirements.lock > .venv/uv.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.lock
	$(BIN)/uv pip install --quiet --system-certs -p $(BIN)/python --require-hashes -r requirements.lock
	touch $@

$(DATA)/demo_secret_key:
	mkdir -p $(DATA)
	umask 077; $(PYTHON) -c "import secrets; print(secrets.token_urlsafe(50))" > $@

run: install
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py collectstatic --no-input --verbosity 0
	rm -rf $(DATA)/metrics && mkdir -p $(DATA)/metrics
	@echo; $(BIN)/python manage.py demo_cast; echo; echo "NexTrade: http://127.0.0.1:$(PORT)/   admin: http://127.0.0.1:$(PORT)/admin/   (Ctrl-C stops it)"; echo
	@$(BIN)/honcho start

history: install
	$(BIN)/python manage.py migrate --verbosity 0
	$(BIN)/python manage.py demo_history 2>$(DATA)/history.log

test: install
	$(BIN)/pytest -n 2 --dist loadfile

restricted: install
	TEST_ROLE=nextrade_app $(BIN)/pytest -n 2 --dist loadfile $(or $(PART),tests/orders tests/agents tests/nextrade)

e2e: install
	NEXTRADE_BROWSER=required $(BIN)/pytest tests/journeys

screenshots: install
	NEXTRADE_BROWSER=required NEXTRADE_HISTORY_DAYS=90 NEXTRADE_IMAGES=docs/images $(BIN)/pytest tests/journeys/test_day.py -k "light and (ann or bob)"

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/python -W "ignore:Got an error checking a consistent" manage.py makemigrations --check --dry-run

types: install
	$(BIN)/mypy

verify: lint types test

audit: install
	$(BIN)/python -m tests.supply_chain

bench: install
	$(BIN)/python -m tests.performance.bench $(BENCH)

machines: install
	$(BIN)/python -m tests.performance.machines --write

growth: install
	$(BIN)/python -m tests.performance.growth --write

soak: install
	$(BIN)/python -m tests.performance.soak --write $(SOAK)

campaigns: install
	for database in sqlite $(TEST_DATABASE_URL); do \
	  $(BIN)/python -m tests.campaigns.crash --database $$database; \
	  $(BIN)/python -m tests.campaigns.crash --database $$database --control; \
	  $(BIN)/python -m tests.campaigns.race --database $$database; \
	  $(BIN)/python -m tests.campaigns.faults --database $$database; \
	  $(BIN)/python -m tests.campaigns.trail --database $$database; \
	  $(BIN)/python -m tests.campaigns.backups --database $$database; \
	  $(BIN)/python -m tests.campaigns.hostile --database $$database; \
	  $(BIN)/python -m tests.campaigns.models --database $$database; \
	  $(BIN)/python -m tests.campaigns.fuzz --database $$database; \
	  $(BIN)/python -m tests.campaigns.guesses --database $$database; \
	  $(BIN)/python -m tests.campaigns.outage --database $$database; \
	  $(BIN)/python -m tests.campaigns.lost_database --database $$database; \
	  $(BIN)/python -m tests.performance.approvals --database $$database; \
	done
	$(BIN)/python -m tests.campaigns.faults_watch
	$(BIN)/python -m tests.campaigns.faults_watch --real
	CAMPAIGN=long $(BIN)/pytest tests/orders/test_properties.py

lock: install
	$(BIN)/uv pip compile -q pyproject.toml --group dev --all-extras --generate-hashes --universal --no-emit-index-url --no-annotate --no-header -o requirements.lock

clean:
	rm -rf .venv var
