GO ?= go

# One version for everybody. A new one is a change of its own: it may find new things.
GOLANGCI_VERSION := v2.15.0
# The path holds both versions, so a change of either builds it anew and nothing else does.
GOLANGCI_DIR := bin/golangci-lint-$(GOLANGCI_VERSION)-$(firstword $(shell $(GO) env GOVERSION 2>/dev/null))
GOLANGCI := $(GOLANGCI_DIR)/golangci-lint

# Tests start Redis processes of their own, and the failover tests measure
# time: more packages at once only disturb each other.
TEST_PARALLEL := -p 2
FUZZ_TIME ?= 20s

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help deps build test test-quick lint fmt fmt-check vet tidy-check fuzz soak reliability demo

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## Install (Debian, as root) or name what the tests need: redis-server, redis-cli, a C compiler
	@./tools/ensure-deps.sh

build: ## Build every package, and the command line into bin/statelink
	$(GO) build ./...
	$(GO) build -o bin/statelink ./cmd/statelink

test: deps build fmt-check vet lint tidy-check ## The whole check: build, format, vet, lint, go.mod, all tests on real servers with the race detector
	$(GO) test -race -count=1 $(TEST_PARALLEL) -timeout 20m ./...

test-quick: deps ## All tests without the race detector, with shorter loops
	$(GO) test -short $(TEST_PARALLEL) -timeout 10m ./...

lint: $(GOLANGCI) ## Run golangci-lint, the pinned version
	$(GOLANGCI) run ./...

fmt: $(GOLANGCI) ## Format the Go files and sort their imports
	$(GOLANGCI) fmt ./...

fmt-check:
	@files=$$(gofmt -l .) || exit 1; \
	if [ -n "$$files" ]; then echo "not formatted, run make fmt:"; echo "$$files"; exit 1; fi

vet:
	$(GO) vet ./...
	$(GO) vet -tags soak ./internal/reliability

tidy-check: ## Fail if go.mod or go.sum is not tidy
	$(GO) mod tidy -diff

fuzz: deps ## Run every fuzz target for FUZZ_TIME (20s)
	@set -e; pkgs=$$($(GO) list ./...); for pkg in $$pkgs; do \
		listed=$$($(GO) test -list '^Fuzz' $$pkg) || { echo "$$listed"; exit 1; }; \
		for target in $$(echo "$$listed" | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZ_TIME) $$pkg; \
		done; \
	done

# How long a soak lasts; SEED repeats the sequence of faults of an earlier one.
DURATION ?= 10m
SEED ?=
RELIABILITY_REPORT ?= bin/reliability.jsonl

soak: deps ## Random faults under load for DURATION (10m); SEED=n repeats a sequence
	SEED=$(SEED) DURATION=$(DURATION) $(GO) test -count=1 -tags soak -run '^TestSoak$$' -v -timeout 24h ./internal/reliability

reliability: deps ## Every fault at full length, some minutes; prints the figures of docs/reliability.md
	@mkdir -p $(dir $(RELIABILITY_REPORT)) && rm -f $(RELIABILITY_REPORT)
	RELIABILITY_REPORT=$(abspath $(RELIABILITY_REPORT)) $(GO) test -count=1 -tags soak -skip '^TestSoak$$' -timeout 30m ./internal/reliability; \
		status=$$?; $(GO) run ./internal/reliability/table $(RELIABILITY_REPORT); exit $$status

demo: ## Run the demo: Redis inside the process, nothing to install
	$(GO) run ./cmd/statelink demo

$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION) once: some minutes on a small machine"
	GOBIN="$(CURDIR)/$(GOLANGCI_DIR)" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
