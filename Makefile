# Every command of this repository, with what it is for. `make` or `make help` lists them.
#
# A Makefile, because make is on every machine that has a C compiler's usual companions, needs no installation and starts at once. No
# target hides anything: each is a command that works by itself, and `make -n TARGET` prints it.

.DEFAULT_GOAL := help
.PHONY: help run replay bulk up explain audit test test-domain test-cdc histories walk incident lint fmt check template \
	deny package measure-functions measure-costs rehearse doc clean

CAPTURE ?= events/captures/ordering-incident.jsonl
ORDER ?= 57
DATA ?= data
HISTORIES ?= 2000

##@ See it run

run: ## Start everything, replay the ordering incident, serve API and console until Ctrl-C
	cargo run --release

replay: ## Replay CAPTURE and print a summary
	cargo run --release -- replay $(CAPTURE)

bulk: ## Invent a larger capture, bulk.jsonl, and replay it
	cargo run --release -p end-to-end --bin generate-capture -- --accounts 2000 --adoptions 5500 --seed 1 > bulk.jsonl
	cargo run --release -- replay bulk.jsonl

up: ## Start everything with its tables in the directory DATA
	cargo run --release -- up --data $(DATA)

explain: ## Say why ORDER was shared out as it was
	cargo run --release -- explain $(ORDER)

audit: ## Recompute the ledger in DATA and report every difference
	cargo run --release -- audit --data $(DATA)

##@ Test a change

test-domain: ## The business rules alone, in seconds
	cargo test -p domain

test-cdc: ## The decoder of change records alone, in seconds
	cargo test -p cdc

test: ## Everything, in minutes
	cargo test --workspace

histories: ## HISTORIES random histories of a source, in optimised code
	HISTORIES=$(HISTORIES) cargo test --release -p end-to-end --test convergence random

walk: ## The walks of CONTRIBUTING.md: each changes something, runs the tests that notice, and undoes itself
	@set -e; for walk in docs/walks/*.sh; do echo "== $$walk"; $$walk; done

incident: ## Recompute the numbers of the ordering incident in docs/rules.md (Python 3)
	python3 docs/checks/incident.py

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

##@ Deploy and measure

package: ## Build the functions for Lambda into target/lambda (Python 3 with venv)
	infra/package

measure-functions: ## Start each function several times; print initialisation, first invocation, memory
	cargo build --release --workspace --bins
	cargo run --release -p end-to-end --bin measure-functions -- target/release

measure-costs: ## Count units per adoption, and per account of a closed date
	cargo run --release -p end-to-end --bin generate-capture -- --accounts 200 --adoptions 550 --seed 1 > small.jsonl
	cargo run --release -p end-to-end --bin measure-costs -- small.jsonl --from 2026-01-02 --until 2026-01-05

rehearse: ## The whole path on PostgreSQL, Debezium and a broker (see tests/end_to_end/README.md)
	tests/end_to_end/run

clean: ## Remove what commands of this file wrote, except target/ and DATA
	rm -f bulk.jsonl small.jsonl

help: ## List all commands
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  Variables: CAPTURE=$(CAPTURE) ORDER=$(ORDER) DATA=$(DATA) HISTORIES=$(HISTORIES)"
