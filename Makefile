# make run    build everything and run the demo: a server with sample people and a moving dashboard
# make test   install what the tests need and run all of them
# make lint   formatting, vet, static checks, types
# make build  bin/belfry
# make dist   dist/: the program for Linux, macOS and Windows, with checksums

GO      ?= go
ADDRESS ?= 127.0.0.1:6001
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
FUZZ    ?= 10s

PAGES := $(shell find ui -path ui/node_modules -prune -o -path ui/dist -prune -o -type f -print) \
         $(shell find clients/js/src -type f) clients/js/bell.css
NPM   := npm --no-audit --no-fund --loglevel=error

.PHONY: run build dist test lint fuzz go-test client-test deps generate clean

run: build
	bin/belfry demo --listen $(ADDRESS)

build: ui/dist/index.html
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/belfry ./cmd/belfry

dist: ui/dist/index.html
	scripts/dist.sh $(VERSION)

ui/dist/index.html: $(PAGES)
	cd ui && { [ node_modules/.package-lock.json -nt package-lock.json ] || $(NPM) ci; } && $(NPM) run build
	touch ui/dist/.keep $@

deps:
	scripts/test-deps.sh

test: deps build go-test client-test fuzz
	@echo "make test: all passed"

go-test:
	$(GO) test -race -timeout 15m ./...

client-test: build
	cd clients/js && $(NPM) test && $(NPM) run build
	cd test/clients && $(NPM) test
	cd clients/python && PYTHONPATH=src:tests .venv/bin/python -W error -m unittest discover -s tests

# The parsers of what strangers send, each for $(FUZZ).
fuzz:
	scripts/fuzz.sh $(FUZZ)

lint: deps
	scripts/lint.sh

# Reference pages and the sample configuration, from the code.
generate:
	$(GO) test ./internal/config ./internal/cli ./internal/ops -run Reference -update

clean:
	rm -rf bin ui/dist/assets ui/dist/index.html test/clients/node_modules ui/node_modules clients/js/node_modules clients/js/dist
