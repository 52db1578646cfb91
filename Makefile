.DEFAULT_GOAL := help

# Only what `make` alone should list has a comment behind its target.

BIN   := bin/consul
ARGS  ?=
DATA  ?= $(CURDIR)/bin/data

help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## Build, and run a server as the page does (ARGS="-flag …" adds flags)
	./$(BIN) agent -server -bootstrap -bind 127.0.0.1 -data-dir $(DATA) $(ARGS)

build: ## Build ./bin/consul, stripped
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o $(BIN) ./cmd/consul

# The race detector needs a C compiler. Where there is none the tests run without it,
# and say so.
RACE = $(if $(shell command -v "$$(go env CC)"),-race)

test: ## Vet, and all tests with the race detector
	go vet ./...
	@test -n "$(RACE)" || echo "there is no C compiler ($$(go env CC)): the tests run without the race detector" >&2
	go test $(RACE) -timeout 10m ./...

check: fmt lint test ## Everything a change must pass

fmt: ## Fail if a file is not gofmt'd
	@test -z "$$(gofmt -l . | tee /dev/stderr)"

# golangci-lint's gochecksumtype sees only sum types of the package at hand; ours
# are in messages. Both tools are built from source at a pinned version.
GOLANGCI := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.5.0

lint: ## golangci-lint, as .golangci.yml has it
	go run $(GOLANGCI) run

bench: build ## Speed and size, each beside a bare ceiling of the same run
	go test -run '^$$' -bench . -benchmem ./supervisor ./actors/...
	go test -run '^TestBench' -count=1 -v -timeout 30m ./cmd/consul -args -bench

dnsperf: build ## DNS as dnsperf sees it, beside a bare server (installs Debian's package)
	command -v dnsperf >/dev/null || apt-get install -y -q dnsperf
	go test -run '^TestDNSPerf$$' -count=1 -v -timeout 10m ./cmd/consul -args -dnsperf

crash: ## kill -9 at 200 random moments under write load; nothing acknowledged may be lost
	go test -run '^TestCrash' -count=1 -v -timeout 90m ./cmd/consul -args -crashes 200 -ttl-crashes 500

cluster: ## Clusters that leave, die, restart, move and span datacenters
	go test -race -run '^TestCluster' -count=1 -v ./cmd/consul -args -cluster

sequences: ## 300 orders of stops, kills, leaves and starts in virtual time, 30 with processes
	go test -run '^TestSequences$$' -count=1 -v -timeout 30m ./supervisor -args -sequences 300
	go test -run '^TestSequences$$' -count=1 -v -timeout 60m ./cmd/consul -args -sequences 30

lifeguard: ## Members that stand still again and again; nobody who is well may be taken for failed
	go test -run '^TestLifeguard$$' -count=1 -v -timeout 30m ./actors/gossip -args -lifeguard

# ARGS are TestChaos's: -chaos-seed repeats a run, -chaos-servers, -chaos-only and
# -chaos-time choose what is done and for how long.
chaos: ## Cut, slow, stop, kill and mis-set servers; histories must be linearizable
	go test -run '^TestChaos$$' -count=1 -v -artifacts -timeout 90m ./cmd/consul -args -chaos $(ARGS)
	go test -race -run '^TestDNSCrashes$$' -count=1 -v ./supervisor -args -dns-crashes 30

RESOLVERS := unbound bind9 dnsmasq-base haproxy

# With ARGS="-consul-binary PATH", a Consul of HashiCorp's takes part, too.
interop: ## DNS through unbound, bind9, dnsmasq and haproxy (installs Debian's packages)
	for p in unbound named dnsmasq haproxy; do PATH=$$PATH:/usr/sbin command -v $$p >/dev/null || apt-get install -y -q $(RESOLVERS) || exit 1; done
	PATH=$$PATH:/usr/sbin go test -run '^Test(Resolvers|Interop)$$' -count=1 -v ./cmd/consul -args -resolvers $(ARGS)

# A find is kept below testdata/fuzz, where `make test` plays it again. FUZZ chooses targets.
# Making inputs smaller is bounded: it may take a minute for each that is of interest.
TIME ?= 1m
FUZZ ?= Fuzz

fuzz: ## Every decoder with hostile input, for TIME (1m) each, on one core
	@failed=; for at in $$(grep -rno --include='*_test.go' '^func $(FUZZ)[A-Za-z]*' . | sed -E 's/\/[^/]*:[0-9]*:func /:/'); do \
		echo "$$at"; go test -run '^$$' -fuzz "^$${at#*:}$$" -fuzztime $(TIME) -fuzzminimizetime 100x -parallel 1 "$${at%:*}" || failed="$$failed $$at"; \
	done; test -z "$$failed" || { echo "found something:$$failed"; exit 1; }

flaky: ## The actor tests 20 times over
	go test -race -count=20 ./actors/... ./supervisor/...

# The suite is the official Go client's own; SUITE says where its runner is.
SUITE ?= ../shared/conformance/api-suite.sh

conformance: build ## The official Go client's own tests (needs openssl and python3)
	bash $(SUITE) $(BIN) v1.34.5

# Every target is a command; none is a file.
.PHONY: $(shell sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))
