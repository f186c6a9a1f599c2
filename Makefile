# Every target runs from a fresh clone with Go alone; conformance, clients and auth also need npm.
GO        ?= go
BENCH     ?= .
COUNT     ?= 6
FUZZTIME  ?= 60s
PKGS      ?= ./...
RESULTS   ?= bench/results/$(shell date +%F)
COMPARE   ?= --rate 1000 # calls of the open loop: the same for all
RUNS      ?= 1
SOAK      ?= 30m
TARGETS   ?= linux/arm64 darwin/arm64
TOOL      := $(GO) tool -modfile=tools/go.mod
NESTED    := $(patsubst %/go.mod,%,$(wildcard bench/*/go.mod test/*/go.mod))
SHELL     := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

.PHONY: help run build test race fuzz bench pressure compare report million microbench cover soak conformance gateway clients auth port check fmt vet staticcheck cross

help: ## this list
	@sed -n 's/^\([a-z]*\):.* ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

run: ## serve the built-in tools on http://127.0.0.1:8080/mcp; ARGS="--listen ..." for more
	$(GO) run ./cmd/mooring serve $(ARGS)

build: ## the commands, into bin/
	$(GO) build -trimpath -o bin/ ./cmd/...

test: ## all tests
ifeq ($(MOORING_SCHEMA_DIR),)
	@echo "note: messages are not checked against the official JSON schemas; set MOORING_SCHEMA_DIR to a folder with 2026-07-28.json"
	@echo "      (schema/2026-07-28/schema.json of github.com/modelcontextprotocol/modelcontextprotocol) to switch that on"
else
	@echo "messages are checked against the JSON schemas in $(MOORING_SCHEMA_DIR)"
endif
	$(GO) test -timeout 10m ./...

race: ## all tests with the race detector; PKGS=./sse for some, SHORT=1 for the short form of long ones
	$(GO) test -race $(if $(SHORT),-short) -timeout 15m $(PKGS)

fuzz: ## every fuzz target, FUZZTIME (60s) each; PKGS=./sse for some
	@found=0; \
	for pkg in $$($(GO) list $(PKGS)); do \
		list=$$($(GO) test -list '^Fuzz' "$$pkg"); \
		for target in $$(sed -n '/^Fuzz/p' <<<"$$list"); do \
			found=$$((found + 1)); echo "--- $$pkg $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$pkg"; \
		done; \
	done; \
	if [[ $$found -eq 0 ]]; then echo "no fuzz target found" >&2; exit 1; fi

bench: ## the figures of docs/benchmarks.md, medians of ROUNDS (5), into bench/results/; ten minutes on a quiet machine
	bash bench/run.sh

pressure: ## figures under adverse loads, and idle, on both engines, medians of ROUNDS (5), into bench/results/; half an hour; GROUP=idle for one group
	bash bench/pressure.sh

compare: build peers ## measure this server and those of bench/peers: bench/results/DATE.json, DATE.html, docs/benchmarks.md and docs/overview.svg; ARGS="--eras modern" for a part
	bin/mooring-bench suite bench/peers/peers.json -o $(RESULTS).json --html $(RESULTS).html --readme docs/benchmarks.md --overview docs/overview.svg $(COMPARE) $(ARGS)

report: ## look at the HTML page of the suite in headless Chromium (INSTALL=1 fetches it)
	bash bench/report/chromium.sh

million: ## a million idle streams in one server process, in the virtual machine of MOORING_VM where the descriptor limit is too low; STREAMS=100000 for fewer
	bash bench/million.sh

microbench: ## Go benchmarks of the packages, COUNT (6) times each, with medians; BENCH=regexp, PKGS=./sse for some
	@mkdir -p bin
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(PKGS) | tee bin/bench.txt
	$(TOOL) benchstat bin/bench.txt

.PHONY: peers
peers: ## the servers to compare with, into bin/peers/; INSTALL=1 fetches nginx and nchan with apt-get if they are missing
	GO='$(GO)' INSTALL='$(INSTALL)' bash bench/peers/build.sh

cover: ## test coverage of all packages together, as bin/cover.html
	@mkdir -p bin
	$(GO) test -timeout 10m -coverpkg=./... -coverprofile=bin/cover.out ./...
	$(GO) tool cover -html=bin/cover.out -o bin/cover.html
	$(GO) tool cover -func=bin/cover.out | tail -n 1

soak: ## all tests with the race detector in random order and the long ones at full length, again and again for SOAK (30m)
	@end=$$(($$(date +%s) + $$(echo '$(SOAK)' | sed 's/h/*3600/; s/m/*60/; s/s//'))); round=0; \
	while [[ $$(date +%s) -lt $$end ]]; do \
		round=$$((round + 1)); echo "--- round $$round"; \
		MOORING_LONG=1 $(GO) test -race -shuffle on -count 1 -timeout 40m ./...; \
	done; echo "$$round rounds"

conformance: ## the official MCP conformance suite, every revision, against cmd/mooring-conformance; RUNS=5 for five runs in a row, OVER=... for another transport
	RUNS=$(RUNS) bash test/conformance/run.sh

gateway: ## the conformance suite through `mooring gateway`, before the fixture as a child and over HTTP, of both eras; SHORT=1 for two of the four
	OVER='$(if $(SHORT),gateway gateway+legacy,gateway gateway+http gateway+legacy gateway+modern)' bash test/conformance/run.sh

clients: ## real MCP clients of every revision and transport against cmd/mooring
	bash test/clients/run.sh

auth: ## real MCP clients log in at a real identity provider (oidc-provider, on loopback), whose key changes and which fails, and the set-ups of docs/auth.md as they are written; ONLY="login guid docs" for some parts
	bash test/auth/run.sh

port: ## programs for the official Go SDK, on it and on Mooring, with the same answers; PROGRAMS="hello roots" for some
	cd test/port && PORT_PROGRAMS='$(PROGRAMS)' $(GO) test -count 1 -timeout 10m .

bug: ## abandons 20,000 sessions, direct and behind nginx and HAProxy, and counts what stays; COUNT=2000 for fewer, FIGURES=1 for other servers
	COUNT=$(if $(filter command environment,$(origin COUNT)),$(COUNT),20000) FIGURES=$(FIGURES) bash test/bug/run.sh

check: fmt vet staticcheck test cross ## what a change must pass before it is proposed

fmt: ## fails if gofmt would change a file
	@files=$$(git ls-files -co --exclude-standard '*.go' | xargs -r gofmt -l); \
	if [[ -n $$files ]]; then echo "gofmt differs:"; echo "$$files"; exit 1; fi

vet: ## go vet, also in the nested modules
	$(GO) vet ./...
	@for dir in $(NESTED); do echo "$(GO) vet ($$dir)"; (cd "$$dir" && $(GO) vet ./...); done

staticcheck: ## staticcheck, pinned in tools/go.mod
	$(TOOL) staticcheck ./...

cross: ## compile everything for TARGETS; for another system than this one, go vet does so and compiles the tests too
	@for target in $(TARGETS); do \
		export CGO_ENABLED=0 GOOS=$${target%/*} GOARCH=$${target#*/}; \
		if [[ $$GOOS == $$($(GO) env GOHOSTOS) ]]; then echo "build for $$target"; $(GO) build ./...; \
		else echo "vet for $$target"; $(GO) vet ./...; fi; \
	done
