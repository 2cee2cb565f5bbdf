# A target for each thing a person does. `make` alone lists them.
# Written for GNU make 3.81 (macOS) and later: no grouped targets, no .ONESHELL.

PYTHON  ?= python3
UV      := .tools/uv/bin/uv
VENV    := .venv/bin
STAMPS  := .tools/stamps
LAYERS  := .storycast/layers
SAM     := .tools/sam/bin/sam
CFNLINT := .tools/lint/bin/cfn-lint
CHECKOV := .tools/lint/bin/checkov

PACKAGES := $(wildcard cli local review layers/storycast/storycast functions checks benchmarks \
            tests/bad_input tests/checks tests/cli tests/fakes tests/local tests/notebooks tests/pages tests/permissions tests/review tests/sam tests/unit tests/workflow)
LOCKS    := requirements/uv.txt requirements/cli.txt requirements/dev.txt requirements/ministack.txt \
            requirements/sam.txt requirements/lambda.txt requirements/lint.txt requirements/benchmarks.txt requirements/audit.txt \
            layers/storycast/requirements.txt layers/imaging/requirements.txt \
            functions/sample_frames/requirements.txt

# Deactivated virtual environments and a user's own settings must not leak into the project's.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME UV_PROJECT_ENVIRONMENT
export SAM_CLI_TELEMETRY := 0
# Compiled once here: Lambda cold starts read these.
UV_INSTALL_FLAGS := --quiet --compile-bytecode

.DEFAULT_GOAL := help
STACK ?= storycast
TRAINING_IMAGE ?= storycast-training:latest
.PHONY: help audit pin-images runbook setup setup-benchmarks setup-training training-image test-training demo smoke-aws graph test test-fast test-e2e test-faults test-permissions test-sam check check-style check-types check-templates format lock lock-training local-up local-down local-status clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' Makefile

# ---- set-up ----------------------------------------------------------------------------------------

setup: ## make every environment (a minute, once)
setup: $(STAMPS)/dev $(STAMPS)/ministack $(STAMPS)/sam $(STAMPS)/lambda $(STAMPS)/lint \
       $(STAMPS)/layer-storycast $(STAMPS)/layer-imaging $(STAMPS)/layer-image

# uv makes the other environments; it comes by pip, which needs no venv module and no administrator.
$(STAMPS)/uv: requirements/uv.txt
	@mkdir -p $(STAMPS)
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --upgrade --require-hashes \
	    --target .tools/uv -r requirements/uv.txt
	@touch $@

$(STAMPS)/dev: requirements/dev.txt pyproject.toml requirements/cli.in | $(STAMPS)/uv
	@test -x $(VENV)/python || $(UV) venv --quiet --python 3.13 .venv
	$(UV) pip install $(UV_INSTALL_FLAGS) --python .venv --require-hashes -r requirements/dev.txt
	$(UV) pip install --quiet --python .venv --no-deps --no-build-isolation --editable .
	@touch $@

# One environment for each tool, so that no tool's pins bend another's or ours.
$(STAMPS)/ministack $(STAMPS)/sam $(STAMPS)/lambda $(STAMPS)/lint $(STAMPS)/benchmarks $(STAMPS)/audit: $(STAMPS)/%: requirements/%.txt | $(STAMPS)/uv
	@test -x .tools/$*/bin/python || $(UV) venv --quiet --python 3.13 .tools/$*
	$(UV) pip sync $(UV_INSTALL_FLAGS) --python .tools/$* --require-hashes requirements/$*.txt
	@touch $@

setup-benchmarks: $(STAMPS)/benchmarks ## make the environment of what benchmarks compare with

# What the layers and the image hold besides our own code, unpacked for the embedded AWS.
$(STAMPS)/layer-storycast: layers/storycast/requirements.txt
$(STAMPS)/layer-imaging: layers/imaging/requirements.txt
$(STAMPS)/layer-image: functions/sample_frames/requirements.txt
$(STAMPS)/layer-%: | $(STAMPS)/lambda
	rm -rf $(LAYERS)/$*
	$(UV) pip install $(UV_INSTALL_FLAGS) --python .tools/lambda --require-hashes \
	    --target $(LAYERS)/$*/python -r $<
	@touch $@

# The trainer's own environment: it shares nothing with .venv. By pip, which finds a CPU build of torch wherever
# PIP_FIND_LINKS or PIP_INDEX_URL names one. Where there is an NVIDIA GPU, torch's CUDA libraries come hashed as well.
TRAINING_LOCK := $(if $(shell command -v nvidia-smi 2> /dev/null),requirements.txt,requirements-cpu.txt)
TRAINING_PIP  := .tools/training/bin/python -m pip install --quiet --disable-pip-version-check

setup-training: $(STAMPS)/training ## make the trainer's environment (PyTorch and more; minutes, once)

$(STAMPS)/training: training/requirements.txt training/requirements-cpu.txt training/requirements-dev.txt | $(STAMPS)/uv
	@test -x .tools/training/bin/python || $(UV) venv --quiet --seed --python 3.11 .tools/training
	$(TRAINING_PIP) --no-deps --require-hashes -r training/$(TRAINING_LOCK) -r training/requirements-dev.txt
	$(TRAINING_PIP) "$$(sed -n 's/^\(torch==[0-9.]*\).*/\1/p' training/requirements.txt)"
	.tools/training/bin/python -m pip check
	@touch $@

lock: | $(STAMPS)/uv ## resolve requirements/*.in anew into hashed requirements/*.txt
	@for lock in $(LOCKS); do \
	  echo "$$lock"; \
	  $(UV) pip compile --quiet --upgrade --universal --python-version 3.13 --generate-hashes \
	      --no-emit-index-url --no-emit-find-links --no-header "$${lock%.txt}.in" -o "$$lock" || exit 1; \
	done
	$(MAKE) lock-training

TRAINING_COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
                    --no-emit-index-url --no-emit-find-links --no-header

lock-training: | $(STAMPS)/uv ## resolve training/requirements*.in anew; the second lock lacks what needs a GPU
	$(TRAINING_COMPILE) --upgrade training/requirements.in -o training/requirements.txt
	$(TRAINING_COMPILE) -c training/requirements.txt training/requirements.in -o training/requirements-cpu.txt \
	    $$(grep -oE '^(torch|triton|bitsandbytes|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)' training/requirements.txt \
	       | sed 's/^/--no-emit-package /')
	$(TRAINING_COMPILE) training/requirements-dev.in -o training/requirements-dev.txt

# ---- the product -----------------------------------------------------------------------------------

demo: setup ## run the whole workflow on this machine, over the example clip
	$(VENV)/storycast upload examples/demo/clip.mp4 --project examples/demo/project.yaml --follow --out out

smoke-aws: setup ## one small picture through a stack on a real account; asks first, costs cents
	$(VENV)/python checks/smoke_aws.py --stack $(STACK)

training-image: ## build the trainer's container, for SageMaker or a machine with a GPU (needs Docker)
	docker build --platform linux/amd64 --file training/Dockerfile --tag $(TRAINING_IMAGE) .

local-up: setup ## start the embedded AWS and deploy the template on it
	$(VENV)/python -m local up

local-down: ## stop the embedded AWS; what it stored stays
	$(VENV)/python -m local down

local-status: ## say what runs where
	$(VENV)/python -m local status

# ---- gates -----------------------------------------------------------------------------------------

FAST_TESTS := not sam and not e2e and not training and not permissions
# By files, in the order of tests/e2e/conftest.py: pytest-xdist's own begins with the files that have the most tests.
E2E_TESTS = $(VENV)/python -m pytest -m "e2e and not training" -n 2 --dist loadfile --no-loadscope-reorder
# What the end-to-end tests leave for those of permissions.
CALLS := .storycast/calls

test: setup ## every test that needs no Docker
	$(VENV)/python -m pytest -m "$(FAST_TESTS)" -n 2 --dist loadfile
	rm -rf $(CALLS)/e2e
	$(E2E_TESTS)
	STORYCAST_CALLS_OF=e2e $(VENV)/python -m pytest -q -m permissions tests/permissions

test-fast: setup ## the tests that need no emulator
	$(VENV)/python -m pytest -m "$(FAST_TESTS)" -n 2 --dist loadfile

test-e2e: setup ## the real template on the embedded AWS
	rm -rf $(CALLS)/e2e
	$(E2E_TESTS)

test-permissions: setup ## what test-e2e and test-training called, beside what the template allows; no secret in logs
	$(VENV)/python -m pytest -q -m permissions tests/permissions

test-sam: setup setup-training ## sam build and sam local invoke in real Lambda containers (needs Docker)
	$(VENV)/python -m pytest -m sam tests/sam

test-faults: setup ## every operation goes wrong in every way; writes docs/faults.md's table (hours)
	$(VENV)/python -m tests.e2e.faults

test-training: setup setup-training ## the trainer's tests, on a tiny model on the CPU, and its types
	cd training && ../.tools/training/bin/python -m mypy
	cd training && ../.tools/training/bin/python -m pytest
	rm -rf $(CALLS)/training
	$(VENV)/python -m pytest -m training -n 2 --dist loadfile

check: check-style check-types check-templates ## all that looks at source without running it

check-style: setup ## style, and the walls between modules
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/lint-imports

check-types: setup ## mypy, strict
	$(VENV)/mypy $(PACKAGES) --exclude '^tests/local/app/'

# The linters read the template as written and as SAM translates it: into what SAM expands they do not look.
check-templates: setup ## the template and the state machines, as written and as translated
	AWS_DEFAULT_REGION=us-east-1 $(SAM) validate --lint --template-file template.yaml --config-env default
	$(CFNLINT) template.yaml
	AWS_DEFAULT_REGION=us-east-1 .tools/sam/bin/python checks/translate.py template.yaml > .storycast/translated.json
	$(CFNLINT) .storycast/translated.json
	.tools/lint/bin/python checks/state_machines.py statemachine/*.asl.json
	$(CHECKOV) --file template.yaml
	$(CHECKOV) --file .storycast/translated.json
	$(CHECKOV) --file functions/sample_frames/Dockerfile
	$(CHECKOV) --file training/Dockerfile
	$(VENV)/python -m pytest -q tests/workflow

# Not a part of `check`: it needs a network that tells, and what it says changes without us.
audit: setup $(STAMPS)/audit ## ask PyPI for known weaknesses of all that is locked
	$(VENV)/python checks/audit.py $(LOCKS) training/requirements.txt

pin-images: setup ## pin the images' bases by their digests as of now (needs Docker's buildx)
	$(VENV)/python checks/pin_images.py functions/sample_frames/Dockerfile training/Dockerfile

graph: setup ## draw the README's graph of the workflow anew
	$(VENV)/python statemachine/draw.py

runbook: setup ## make the runbook's table of errors anew, from the source
	$(VENV)/python -m checks.runbook

format: setup ## put the source into the house style
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

clean: ## stop the embedded AWS and remove all that was built, downloaded or stored here
	@if [ -x $(VENV)/python ]; then $(VENV)/python -m local down || true; fi
	rm -rf .venv .tools .storycast .aws-sam out build *.egg-info .mypy_cache .ruff_cache .pytest_cache \
	    .hypothesis .import_linter_cache training/.hypothesis training/.mypy_cache training/.ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
