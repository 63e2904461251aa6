# SPDX-License-Identifier: GPL-2.0
# Tests of the tools that need no kernel.

tests	:= tests/test-ring tests/test-npy tests/probe-model

$(call o,$(tests)): $(out)/tests/%: $(out)/tests/%.o $(call o,$(engine) libmlagent.a)
	$(link) $(LDFLAGS) -pthread -o $@ $^ $(libs)

# Stands in for the device: see there.
$(out)/tests/fake-device.so: $(here)tests/fake-device.c $(out)/include/linux/ml_lib.h
	@mkdir -p $(@D)
	$(CCACHE) $(CC) $(cflags) -fPIC -shared -o $@ $< -ldl

.PHONY: check
check: all $(call o,$(tests) tests/fake-device.so)
	@OUT=$(out) PYTHON=$(PYTHON) TORCH=$(TORCH) $(here)tests/check
