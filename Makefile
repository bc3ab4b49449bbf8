SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test build demo demo-pair generate lint unit e2e bench clean install-run install-test

SIZE ?= small
SEED ?= 1
ONE_CLUSTER = go run ./db/dbtest/cluster
E2E = E2E_REQUIRED=1 PLAYWRIGHT_DRIVER_PATH=$(CURDIR)/e2e/driver

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: install-run build ## install what is missing, load the small demo once, serve on http://localhost:8080
	@bin/nightshift demo --size small --seed 1 --once
	@exec bin/nightshift serve

test: install-test ## all tests: generated code, lint, unit and database tests, end to end in a browser
	@.ci/phase "generated code is up to date" go tool templ generate -check
	@.ci/phase "gofmt, vet, staticcheck" .ci/lint
	@.ci/phase "unit and database tests" $(MAKE) --no-print-directory unit
	@.ci/phase "end-to-end tests in a browser" $(MAKE) --no-print-directory e2e
	@echo; echo "all tests passed"

build: ## build bin/nightshift
	@go build -trimpath -ldflags "-s -w" -o bin/nightshift .

demo: install-run build ## load a demo database: SIZE=small|medium|large SEED=1
	@bin/nightshift demo --size $(SIZE) --seed $(SEED)

demo-pair: install-run build ## run a marketing and a mid-sourcing instance side by side, on ports 8080 and 8081
	@exec bin/nightshift demo-pair

generate: ## regenerate the Go code of the templ files
	@go tool templ generate

lint: ## gofmt, vet, staticcheck
	@.ci/lint

unit: ## unit and database tests, on one throw-away PostgreSQL
	@$(ONE_CLUSTER) go test -timeout 15m $$(go list ./... | grep -v /e2e)

e2e: ## end-to-end tests: the real binary, PostgreSQL, a browser
	@$(ONE_CLUSTER) env $(E2E) go test -timeout 15m ./e2e/...

bench: install-test ## measure, each as figure, floor of the same run and ratio
	@$(ONE_CLUSTER) env $(E2E) go test -timeout 30m -run '^$$' -bench . -benchtime 1x ./...

clean: ## remove what was built; the data stays
	@rm -rf bin e2e/driver/node_modules e2e/driver/package e2e/driver/node e2e/shots

install-run:
	@.ci/install run

install-test:
	@.ci/install test
