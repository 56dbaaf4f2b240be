# Everything runs from one virtual environment that `make` builds and keeps up to date by itself.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo up test test-fast containers-test lint format docs bench clean help

help:            ## Say what each target does
	@grep -E '^[a-z.-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | sort

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[worker,train,embedded]' --group dev --group docs
	@touch $@

# A prompt goes to the command as it is, through the environment: neither make nor the shell reads what is in it.
unexport PROMPT PRESET
demo: export DEMO_PROMPT := $(if $(filter command line,$(origin PROMPT)),$(value PROMPT))
demo: export DEMO_PRESET := $(value PRESET)
demo: $(STAMP)   ## Start the whole stack, make one video and show it: make demo PROMPT="..." PRESET=...
	@$(BIN)/cascade demo $${DEMO_PRESET:+"--preset=$$DEMO_PRESET"} -- $${DEMO_PROMPT:+"$$DEMO_PROMPT"}

up: $(STAMP)     ## Start the whole stack on this machine and keep it running
	$(BIN)/cascade up

test: $(STAMP)   ## Run every test, and say which lines they ran
	$(BIN)/pytest --numprocesses=2 --dist=worksteal --ignore=tests/end_to_end --cov --cov-report=term
	$(BIN)/pytest tests/end_to_end

test-fast: $(STAMP)  ## Run the tests that take seconds
	$(BIN)/pytest -m 'not slow'

containers-test: $(STAMP)  ## Build both images and run the stack in containers (needs Docker and its compose)
	$(BIN)/pytest --override-ini='python_files=check_*.py' --timeout=3000 tests/containers

.env:            ## Write fresh secrets for docker compose
	@umask 077; secret() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }; \
	printf 'CASCADE_REDIS_PASSWORD=%s\nCASCADE_S3_ACCESS_KEY=%s\nCASCADE_S3_SECRET_KEY=%s\n' \
	  "$$(secret)" "$$(secret)" "$$(secret)" > $@

lint: $(STAMP)   ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP) ## Write the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)   ## Build the documentation site into site/; dead links fail
	$(BIN)/python tools/fill_docs.py --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html"

bench: $(STAMP)  ## Run the benchmarks
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean:           ## Remove the environment and what was generated
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .coverage site
