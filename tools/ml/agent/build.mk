# SPDX-License-Identifier: GPL-2.0
# ml-agent. TORCH=0: without libtorch.

TORCH	?= 1
CXX	:= $(if $(filter default,$(origin CXX)),g++,$(CXX))
CXXFLAGS ?= -O2 -g

# For a libtorch that is elsewhere: TORCH_CFLAGS="-I... -I..." TORCH_LIBS="-L... ..."
TORCH_CFLAGS ?= $(if $(wildcard /usr/include/torch/csrc/api/include),-isystem /usr/include/torch/csrc/api/include)
TORCH_LIBS ?= -ltorch -ltorch_cpu -lc10
header = printf '\#if !__has_include(<$(1)>)\n\#error\n\#endif\n' | $(CXX) $(2) -x c++ -E -
# The newest libtorch wants C++20, older ones were made for C++17.
cxxstd = $(if $(shell $(call header,torch/script.h,$(TORCH_CFLAGS) -std=c++17 -include torch/script.h) >/dev/null 2>&1 && echo y),17,20)
cxxflags = -std=c++$(cxxstd) $(WARN) -MMD -MP $(TORCH_CFLAGS) $(CXXFLAGS)

missing	+= $(call need,$(PKG_CONFIG) --atleast-version=2.2 liburing,liburing 2.2 or newer,liburing-dev)
pkgs	+= liburing

# All of it but what makes it a program.
engine	:= agent/log.o agent/loop.o agent/loop-poll.o agent/loop-uring.o \
	   agent/npy.o agent/record.o agent/model.o agent/meta.o agent/convert.o \
	   agent/backend-explore.o agent/backend-linear.o common/schema_json.o
agent	:= agent/ml-agent.o agent/run.o agent/privilege.o
libs	= $(shell $(PKG_CONFIG) --libs $(pkgs) 2>/dev/null) -lm
link	:= $(CC)

ifneq ($(TORCH),0)
missing	+= $(call need,$(call header,torch/script.h,$(TORCH_CFLAGS)),libtorch (or build with TORCH=0),libtorch-dev g++)
engine	+= agent/backend-torch.o agent/torch_shim.o
cflags	+= -DHAVE_TORCH
libs	+= $(TORCH_LIBS)
link	:= $(CXX)
endif

programs += ml-agent
pages	+= ml-agent.1

# With and without torch use the same directory: rebuild when that changes.
stamp	:= $(out)/.torch-$(TORCH)
$(stamp):
	@mkdir -p $(out)
	@rm -f $(out)/.torch-*
	@touch $@

# So that rounding is an instruction where there is one
$(out)/agent/convert.o: cflags += -fno-math-errno -fno-trapping-math

$(out)/%.o: $(here)%.cpp $(stamp)
	@mkdir -p $(@D)
	$(CCACHE) $(CXX) $(cxxflags) -c -o $@ $<

$(out)/ml-agent: $(call o,$(agent) $(engine) libmlagent.a)
	$(link) $(LDFLAGS) -pthread -o $@ $^ $(libs)
