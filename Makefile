# SPDX-License-Identifier: GPL-2.0
# Everything is a script in scripts/; this is the list of them.

help: ## list what can be made (the default)
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 28

setup: ## install what is needed and unpack the kernels
	@scripts/setup
tree: ## lay this project over both kernels in build/linux
	@scripts/tree 6.12
	@scripts/tree newest
patches: ## regenerate patches/ from the tree and hooks/6.12
	@scripts/make-patches
check-patches: ## check the series as a reviewer would
	@scripts/check-patches
check-patches-full: ## the same, with clang, i386 and arm64
	@scripts/check-patches --full
apply: ## put the series on a branch of KDIR=~/linux [BRANCH=ml_lib]
	@scripts/apply "$(KDIR)" $(BRANCH)
kernel: ## build a kernel [FLAVOUR=release]
	@scripts/kernel $(or $(FLAVOUR),release)
tools: ## build the agent, its library and mlctl
	@$(MAKE) -C tools/ml
test: setup ## run all tests
	@scripts/test
test-mutations: ## break lib/ml on purpose and see the tests notice
	@scripts/test-mutations
demo: setup ## show a model in charge of readahead
	@scripts/demo
bench: ## measure the rings, and what they cost [KVM=1 KDIR=~/linux]
	@scripts/bench
bench-quick: ## only whether every transport of the benchmark delivers
	@scripts/bench --quick
record: setup ## record a data set to train on
	@scripts/record
clean: ## remove what was built; keep kernel sources and results
	@rm -rf build/kernel build/kunit* build/check build/log build/run build/pristine \
		build/disk build/patches-* build/coverage build/mutate.* build/bench/cost \
		build/tools/kbench build/tools/*-ml
	@if [ -f tools/ml/Makefile ]; then $(MAKE) -s -C tools/ml clean; fi

.PHONY: help setup tree patches check-patches check-patches-full apply kernel \
	tools test test-mutations demo bench bench-quick record clean
