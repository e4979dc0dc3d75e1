# Every command of this repository, with what it is for. `make` or `make help` lists them.
#
# A Makefile, because make is on every machine that has a C compiler's usual companions, needs no installation and starts at once. No
# target hides anything: each is a command that works by itself, and `make -n TARGET` prints it.

.DEFAULT_GOAL := help
.PHONY: help run replay bulk keep status close test test-domain test-cdc histories conformance walk watch incident build-times cold-starts parquet lint fmt \
	check template deny package count-snapshot doc clean

CAPTURE ?= events/captures/ordering-incident.jsonl
DATA ?= data
HISTORIES ?= 20
REVISIONS ?= HEAD

##@ See it run

run: ## Start everything, replay the ordering incident, serve API and console until Ctrl-C
	cargo run

replay: ## Replay CAPTURE and print a summary
	cargo run -- replay $(CAPTURE)

bulk: ## Invent a larger capture, bulk.jsonl, and replay it in optimised code
	cargo run -p oracle -- generate --accounts 2000 --adoptions 5500 > bulk.jsonl
	cargo run --release -- replay bulk.jsonl

keep: ## Replay CAPTURE into the directory DATA, and serve it
	cargo run -- run $(CAPTURE) --data $(DATA)

status: ## Say how far the ledger in DATA is, and what it waits for
	cargo run -- status --data $(DATA)

close: ## Close the business dates of the ledger in DATA up to today
	cargo run -- close --data $(DATA)

##@ Test a change

test-domain: ## The business rules and the decider alone, in seconds
	cargo test -p domain

test-cdc: ## The decoder of change records alone, in seconds
	cargo test -p cdc

test: ## Everything, in minutes
	cargo test --workspace

histories: ## HISTORIES random histories of a source, in any order of arrival, judged by the oracle
	HISTORIES=$(HISTORIES) cargo test -p end-to-end --test whole histories

conformance: ## The scripts that the model of the service must pass
	cargo run -p model -- conformance tests/model/conformance/own.json

walk: ## The walks of CONTRIBUTING.md: each changes a copy of this repository, and shows which tests notice
	docs/walks/walk

watch: ## Sizes, layers, circles, words and dependencies, and whether what documents name exists, in seconds
	cargo test -p watch

incident: ## Recompute the numbers of the ordering incident in docs/rules.md (Python 3)
	python3 docs/checks/incident.py
	python3 docs/checks/consumer.py

build-times: ## How long builds take from nothing at the revisions REVISIONS, one or two; nothing else may run
	docs/checks/build-times.py $(REVISIONS)

cold-starts: ## How long each function takes from the start of its process to its first answer (Python 3, openssl)
	cargo build --release $(patsubst functions/%/Cargo.toml,-p %,$(wildcard functions/*/Cargo.toml))
	docs/checks/cold-starts.py $${CARGO_TARGET_DIR:-target}/release

parquet: ## Write a snapshot's rows as Parquet and read them back, to the last digit (Python 3, DuckDB from PyPI)
	python3 docs/checks/parquet.py

##@ Check a change

fmt: ## Format
	cargo fmt --all

lint: ## Clippy, with warnings as errors
	cargo clippy --workspace --all-targets --quiet -- -D warnings

template: ## Lint infra/template.yaml (Python 3 with venv; linters from PyPI)
	.ci/template

deny: ## Licences, sources and versions of dependencies (cargo install cargo-deny --locked)
	cargo deny check

check: ## All that a change must pass
	.ci/run

doc: ## The crates' documentation, for browsers
	cargo doc --workspace --no-deps --open

##@ Deploy and count

package: ## Build the functions for Lambda into target/lambda (Python 3 with venv)
	infra/package

count-snapshot: ## Count what the rows of a closed date cost in write units
	cargo test -p daily-snapshot --test snapshot cost -- --nocapture

clean: ## Remove what commands of this file wrote, except target/ and DATA
	rm -f bulk.jsonl

help: ## List all commands
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  Variables: CAPTURE=$(CAPTURE) DATA=$(DATA) HISTORIES=$(HISTORIES) REVISIONS=$(REVISIONS)"
