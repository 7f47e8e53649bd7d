# Two commands: `make demo` runs the main job, `make test` the tests. Both set up what they need.

VENV := .venv
PYTHON := $(VENV)/bin/python
BOOTSTRAP ?= python3
READY := $(VENV)/.ready
PEERS := .bench/split-peers
CONVERSION_PEERS := .bench/conversion-peers

.PHONY: help demo test-browser test-deployment up up-celery down test screenshots lint pins bench bench-consensus bench-quality bench-splits bench-publish bench-faults bench-ui clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): requirements.txt requirements-dev.txt pyproject.toml
	$(BOOTSTRAP) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "Python 3.11 is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m pip --version >/dev/null 2>&1 || $(BOOTSTRAP) -m venv --clear $(VENV)
	$(PYTHON) -m pip install --quiet uv
	$(PYTHON) -m uv pip install --quiet --python $(PYTHON) -r requirements.txt -r requirements-dev.txt
	$(PYTHON) -m uv pip install --quiet --python $(PYTHON) --no-deps --editable .
	touch $(READY)

demo: $(READY)  ## run one labeling round and release on this machine; IMAGES=… MANIFEST=… for your own photos, NEW=12 for more samples
	$(PYTHON) -m demo run $(if $(IMAGES),--images "$(IMAGES)") $(if $(MANIFEST),--manifest "$(MANIFEST)") $(if $(NEW),--new $(NEW)) $(if $(API_PORT),--api-port $(API_PORT)) $(if $(SANDBOX_PORT),--sandbox-port $(SANDBOX_PORT))

up: $(READY)  ## start the same stack and leave it running, for the web UI
	$(PYTHON) -m demo up $(if $(API_PORT),--api-port $(API_PORT)) $(if $(SANDBOX_PORT),--sandbox-port $(SANDBOX_PORT))

up-celery: $(READY)  ## the same with PostgreSQL, Redis and two Celery workers (apt-get install postgresql redis-server)
	$(PYTHON) -m demo up --celery $(if $(API_PORT),--api-port $(API_PORT)) $(if $(SANDBOX_PORT),--sandbox-port $(SANDBOX_PORT))

down: $(READY)  ## stop it
	$(PYTHON) -m demo down

# In the order of the files: xdist itself begins with those of many tests, and some of one long test would be left
# for the end, with one process idle.
test: $(READY)  ## lint, types and all tests
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore tests/airflow_stack --ignore tests/browser

test-deployment: $(READY)  ## rounds, backfill and faults on Celery, PostgreSQL and Redis; ONLY=short_form: ten faults over two workers
	$(VENV)/bin/pytest --durations 0 --durations-min 5 tests/airflow_stack $(if $(ONLY),-m "$(ONLY)")

test-browser: $(READY)  ## the pages inside Airflow, in a browser (apt-get install chromium)
	$(VENV)/bin/pytest tests/browser

screenshots: $(READY)  ## the browser tests alone, which take the pictures of the README anew (apt-get install chromium)
	ROUNDTRUTH_SCREENSHOTS=docs/images $(VENV)/bin/pytest tests/browser

lint: $(READY)  ## format and fix what can be fixed
	$(VENV)/bin/ruff format
	$(VENV)/bin/ruff check --fix

bench: $(READY) $(CONVERSION_PEERS)/.ready  ## speed and scale: conversion, S3, planning, rounds, Airflow; writes benchmarks/RESULTS.md
	OMP_NUM_THREADS=1 $(PYTHON) -m benchmarks.bench_all --peers $(CONVERSION_PEERS)/bin/python $(if $(ONLY),--only $(ONLY))

$(CONVERSION_PEERS)/.ready: benchmarks/conversion-peers.txt
	$(BOOTSTRAP) -m venv --clear $(CONVERSION_PEERS)
	$(CONVERSION_PEERS)/bin/python -m pip install --quiet -r benchmarks/conversion-peers.txt
	touch $@

bench-consensus: $(READY)  ## compare ways of consensus, writes benchmarks/CONSENSUS.md; REAL=DIR for another real set
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(PYTHON) benchmarks/bench_consensus.py --large $(if $(REAL),--real "$(REAL)")

bench-quality: $(READY)  ## seconds and memory of the quality checks, writes benchmarks/QUALITY.md
	$(PYTHON) benchmarks/bench_quality.py

bench-splits: $(READY) $(PEERS)/.ready  ## does a growing dataset keep its splits, ours and four others', writes benchmarks/SPLITS.md
	OMP_NUM_THREADS=1 $(PYTHON) benchmarks/bench_splits.py --peers $(PEERS)/bin/python

$(PEERS)/.ready: benchmarks/split-peers.txt
	$(BOOTSTRAP) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet -r benchmarks/split-peers.txt
	touch $@

bench-publish: $(READY)  ## objects, bytes, seconds, memory of publishing, writes benchmarks/PUBLISH.md
	mkdir -p .bench && $(PYTHON) benchmarks/bench_publish.py > .bench/PUBLISH.md && mv .bench/PUBLISH.md benchmarks/

bench-faults: $(READY)  ## whole rounds while processes, AWS and disks fail, writes benchmarks/FAULTS.md; SEED=…
	$(PYTHON) -m benchmarks.bench_faults $(if $(SEED),--seed $(SEED)) --out .bench/FAULTS.md && mv .bench/FAULTS.md benchmarks/

bench-ui: $(READY)  ## seconds of the pages over 2,000 rounds and a round of 10,000 images, writes benchmarks/UI.md
	$(PYTHON) -m benchmarks.bench_ui

pins: $(READY)  ## compile requirements.in to requirements.txt
	$(PYTHON) -m uv pip compile --quiet --python-version 3.11 requirements.in -o requirements.txt
	$(PYTHON) -m uv pip compile --quiet --python-version 3.11 requirements-dev.in -o requirements-dev.txt

clean:  ## remove the environment and everything the demo made
	rm -rf $(VENV) .bench .demo demo/dataset .pytest_cache .mypy_cache .ruff_cache
