# Everything that is done with this repository has a target here; "make help" lists them.
# Go and make are enough for "run", "build" and "test-unit"; what needs real Valkey servers
# installs them first (scripts/install-valkey.sh).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
BIN     := bin
IMAGE   ?= valkeybatch/valkeybatch-server:dev
# What --version prints; empty: what Go knows of the checkout.
VERSION ?=
# Arguments for the server behind "run" and "cluster": make run ARGS='--log-level debug'
ARGS    ?=
# Arguments for "bench": make bench BENCH_ARGS='-run cluster/ -rounds 3'; -help lists them.
BENCH_ARGS ?=
# Languages of "test-examples": make test-examples LANGS='python go'; all when empty.
LANGS   ?=
# First port of the nodes behind "cluster"; 0 picks free ones.
NODE_PORT ?= 7001
# Longest time of one package's tests, and how long each fuzz target is fuzzed.
TIMEOUT  ?= 15m
FUZZTIME ?= 10s
# Arguments for "faults" and "soak", and how long "soak" goes on: make soak SOAK=2h
FAULTS_ARGS ?=
SOAK     ?= 5m
# The race detector needs a C compiler. "race" insists on it; "test" does without where there is none.
RACE    := $(if $(shell command -v $$($(GO) env CC) 2>/dev/null),-race)
# So does the benchmark's module, for a peer that is linked with C; it is left out where there is none.
BENCH   := $(if $(RACE),bench)

# What is given back to a pool is overwritten in tests, so that its use after that shows.
POISON  := -tags poison

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Without this no HTTP is served: the server itself has no such default.
run cluster: export VALKEYBATCH_HTTP_LISTEN ?= 127.0.0.1:7480

.PHONY: run
run: build ## Run the server on its in-memory store, on 127.0.0.1:7400 and, for HTTP, 127.0.0.1:7480
	exec $(BIN)/valkeybatch-server $(ARGS)

.PHONY: cluster
cluster: build valkey ## Run a local cluster (3 primaries, 3 replicas) and the server on it, on 127.0.0.1:7400
	$(GO) build -o $(BIN)/local-cluster ./scripts/cluster
	exec $(BIN)/local-cluster --port $(NODE_PORT) --server $(BIN)/valkeybatch-server -- $(ARGS)

.PHONY: build
build: ## Build the static server binary, bin/valkeybatch-server
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $(BIN)/valkeybatch-server ./cmd/server

.PHONY: test
test: valkey node vet ## Run all tests, with the race detector where there is a C compiler
	@$(if $(RACE),,echo 'No C compiler: the race detector is left out.')
	$(GO) test $(RACE) $(POISON) -count=1 -timeout $(TIMEOUT) ./...
	$(if $(BENCH),cd bench && $(GO) test -count=1 ./...)

.PHONY: test-unit
test-unit: ## Run the tests that need no server installed
	$(GO) test $(POISON) -timeout $(TIMEOUT) $$(scripts/packages-without-servers.sh)

.PHONY: race
race: valkey node ## Run all tests with the race detector
	$(GO) test -race $(POISON) -count=1 -timeout $(TIMEOUT) ./...

.PHONY: isolation
isolation: valkey ## Test at length that nothing a caller can do hurts another
	ISOLATION=full $(GO) test $(RACE) $(POISON) -v -count=1 -timeout $(TIMEOUT) ./test/isolation

.PHONY: test-examples
test-examples: valkey languages ## Build and run the examples in all languages, or in LANGS, against a cluster
	LANGS='$(LANGS)' $(GO) test -tags examples -v -run '^TestLanguages$$' -parallel 2 -count=1 -timeout $(TIMEOUT) ./test/examples

.PHONY: faults
faults: valkey ## Run the fault suite at length and print the tally (FAULTS_ARGS='-seed 7 -run kill')
	$(GO) test $(RACE) -v -count=1 -tags faults,poison -timeout 30m ./test/faults -full $(FAULTS_ARGS)

.PHONY: faults-glide
faults-glide: valkey ## Put GLIDE to the same test, and write the comparison into docs/guarantees.md
	@scripts/install-bench.sh
	cd bench && $(GO) build -o ../$(BIN)/bench-faults ./faults
	$(BIN)/bench-faults -page docs/guarantees.md $(FAULTS_ARGS)

.PHONY: soak
soak: valkey ## Run faults at random for SOAK, and check that memory, goroutines and connections stay flat
	$(GO) test $(RACE) -tags soak,poison -count=1 -timeout 0 -v -run '^TestSoak$$' ./test/faults -soak $(SOAK) $(FAULTS_ARGS)

.PHONY: fuzz
fuzz: ## Fuzz every fuzz target for FUZZTIME
	scripts/fuzz.sh $(FUZZTIME)

.PHONY: bench
bench: valkey bench-build ## Measure the service beside other clients (BENCH_ARGS); writes docs/performance.md
	cd bench && ../$(BIN)/bench $(BENCH_ARGS)

.PHONY: bench-smoke
bench-smoke: valkey bench-build ## Try for a moment whether everything that bench measures still works
	cd bench && ../$(BIN)/bench -smoke

.PHONY: bench-go
bench-go: valkey ## Run the Go micro-benchmarks
	$(GO) test -run '^$$' -bench . -benchmem -timeout $(TIMEOUT) ./...

.PHONY: bench-build
bench-build: # Builds the benchmark, and the service that it measures as the server is built.
	@scripts/install-bench.sh
	cd bench && $(GO) build -trimpath -o ../$(BIN)/bench .
	cd bench && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../$(BIN)/bench-service ./service

.PHONY: vet
vet: ## Check the formatting and go vet
	@unformatted=$$("$$($(GO) env GOROOT)/bin/gofmt" -l bench cmd examples/*.go examples/go gen internal scripts test tools); \
	if [ -n "$$unformatted" ]; then echo "not formatted (gofmt -w):" >&2; echo "$$unformatted" >&2; exit 1; fi
	$(GO) vet -tags examples,faults,soak ./...
	$(GO) vet $(POISON) ./internal/poison
	$(if $(BENCH),cd bench && $(GO) vet ./...)

.PHONY: lint
lint: vet ## Check formatting, go vet, staticcheck, known vulnerabilities, the contract, and that generated code is up to date
	$(TOOL) staticcheck -tags examples,faults,soak ./...
	$(TOOL) staticcheck $(POISON) ./internal/poison
	$(if $(BENCH),cd bench && $(GO) tool -modfile=../tools/go.mod staticcheck ./...)
	cd tools && $(GO) vet ./... && $(GO) tool -modfile=go.mod staticcheck ./...
	scripts/vulncheck.sh . $(BENCH)
	$(TOOL) buf lint
	scripts/check-breaking.sh
	scripts/check-generated.sh

.PHONY: helm-lint
helm-lint: ## Lint the Helm chart, render it, and check what it and the sidecar's manifest say
	cd tools/helm && $(GO) vet ./... && $(GO) tool -modfile=../go.mod staticcheck ./...
	cd tools/helm && $(GO) test -count=1 -timeout $(TIMEOUT) ./...

.PHONY: alerts-test
alerts-test: ## Hold the alert rules and the dashboard's queries to Prometheus' own engine
	cd tools/prometheus && $(GO) vet ./... && $(GO) tool -modfile=../go.mod staticcheck ./...
	cd tools/prometheus && $(GO) test -count=1 -timeout $(TIMEOUT) ./...

.PHONY: generate
generate: valkey ## Generate code anew: the contract's Go code, the command table
	$(TOOL) buf generate
	$(GO) generate ./...

.PHONY: valkey
valkey: # Installs the servers that tests run against, where they are missing.
	@scripts/install-valkey.sh

.PHONY: node
node: # Installs Node.js, whose fetch a test calls with, where it is missing.
	@scripts/install-node.sh

.PHONY: languages
languages: # Installs what the examples in LANGS need, where it is missing.
	@scripts/install-languages.sh $(LANGS)

# The image is built without the repository, which is asked here. "-dirty": with changes.
docker-build: DESCRIBED = $(shell git describe --tags --always --dirty)
docker-build: COMMIT = $(shell git rev-parse HEAD)$(shell git diff --quiet HEAD || echo -dirty)
.PHONY: docker-build
docker-build: ## Build the container image IMAGE, of VERSION
	docker build --build-arg VERSION=$(or $(VERSION),$(DESCRIBED)) --build-arg COMMIT=$(COMMIT) -t $(IMAGE) .

.PHONY: release
release: ## Build the release archives for Linux and macOS, with bills of materials and checksums, in bin/release
	VERSION=$(VERSION) scripts/release.sh $(BIN)/release

.PHONY: release-check
release-check: ## Build a release from the commit, one of its archives twice, and compare
	scripts/check-release.sh

.PHONY: clean
clean: ## Remove what was built
	rm -rf $(BIN)
	cd examples && rm -rf python/{.venv,valkeybatch} typescript/{node_modules,dist,src/gen} java/target rust/target
