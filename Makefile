# What a contributor and CI run. `make` alone lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-19s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: test
test: lint testbin ## Everything CI checks: format, lints, unit tests, tests on the real API server
	BELLWETHER_SIMULATION_SEEDS=2000 $(CARGO) test --workspace --locked

.PHONY: unit
unit: ## The unit tests alone: seconds, no API server
	$(CARGO) test --workspace --locked --lib --bins

.PHONY: simulate
simulate: ## The core in a simulated world, as many seeds as SEEDS says, from FIRST on
	BELLWETHER_SIMULATION_SEEDS=$(or $(SEEDS),20000) BELLWETHER_SIMULATION_FIRST=$(or $(FIRST),0) \
		$(CARGO) test --locked --lib simulation::no_history

.PHONY: lint
lint: ## Format and clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

.PHONY: testbin
testbin: ## Build the pinned kube-apiserver, etcd and Alertmanager, once
	@hack/testbin.sh
	@hack/alertmanager.sh

.PHONY: kubectl
kubectl: ## Build kubectl of the same version too, for trying things by hand
	@hack/testbin.sh kubectl

.PHONY: cluster
cluster: testbin ## Run a test cluster until Ctrl-C, and print its KUBECONFIG
	$(CARGO) run --quiet --locked -p bellwether-testkit --bin testcluster

.PHONY: demo
demo: testbin ## A database fails on a real API server; a page, a chat message and a webhook arrive
	@$(CARGO) build --quiet --locked --workspace --bins
	@target/debug/demo target/debug/bellwether .

.PHONY: bench
bench: ## What an evaluation (beside cel-go's, if Go is there) and a transition cost: a table
	$(CARGO) bench --locked --bench cel --bench engine --bench delivery --bench tools --bench informer

.PHONY: oracle
oracle: ## Ask Kubernetes' own CEL libraries again what tests/oracle compares with (needs Go)
	@hack/oracle.sh

.PHONY: alertmanager-oracle
alertmanager-oracle: ## Ask the real Alertmanager again what it tells whom in the recorded scenarios (needs Go)
	@hack/alertmanager-oracle.sh

.PHONY: deny
deny: ## Licences, sources and duplicates of every dependency
	$(CARGO) deny --all-features --locked check licenses bans sources
