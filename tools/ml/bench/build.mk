# SPDX-License-Identifier: GPL-2.0
# The benchmark of the agent.

bench	:= bench/main.o bench/case.o bench/standin.o bench/count.o bench/figures.o \
	   bench/check.o bench/overhead.o bench/policy.o bench/settings.o \
	   bench/torch-loop.o agent/run.o

.PHONY: bench
bench: $(out)/bench/bench-agent
$(out)/bench/bench-agent: $(call o,$(bench) $(engine) libmlagent.a)
	$(link) $(LDFLAGS) -pthread -Wl,--wrap=torch_shim_forward -o $@ $^ $(libs)
