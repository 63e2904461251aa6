// SPDX-License-Identifier: GPL-2.0
// A loop around libtorch as one writes it without an agent, settings by choice.
#include <torch/script.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <optional>

#include "torch-loop.h"

struct torch_loop {
	torch::jit::script::Module module;
	torch::jit::Function *function;
	std::vector<torch::jit::IValue> args;
	torch::jit::Stack stack;
	at::Tensor in, out;
	unsigned int settings;
};

struct torch_loop *torch_loop_open(const char *path, unsigned int settings)
try {
	auto loop = std::make_unique<torch_loop>();

	if (settings & TORCH_ONE_THREAD)
		at::set_num_threads(1);
	if (settings & TORCH_NO_PROFILING)
		torch::jit::getProfilingMode() = false;
	if (settings & TORCH_SIMPLE)
		torch::jit::getExecutorMode() = false;
	if (settings & TORCH_NO_MKLDNN)
		at::globalContext().setUserEnabledMkldnn(false);
	loop->module = torch::jit::load(path);
	loop->module.eval();
	if (settings & TORCH_FREEZE)
		loop->module = torch::jit::freeze(loop->module);
	if (settings & TORCH_OPTIMIZE)
		loop->module = torch::jit::optimize_for_inference(loop->module);
	loop->function = &loop->module.get_method("forward").function();
	loop->args.resize(1);
	loop->settings = settings;
	return loop.release();
} catch (const std::exception &e) {
	std::fprintf(stderr, "%s: %s\n", path, e.what());
	return nullptr;
}

const float *torch_loop_forward(struct torch_loop *loop, const float *in,
				size_t nr, size_t nr_in)
try {
	std::optional<c10::InferenceMode> inference;
	std::optional<torch::NoGradGuard> no_grad;

	if (loop->settings & TORCH_INFERENCE)
		inference.emplace();
	if (loop->settings & TORCH_NO_GRAD)
		no_grad.emplace();
	if (!(loop->settings & TORCH_BOUND) || !loop->in.defined())
		loop->in = torch::from_blob(const_cast<float *>(in),
					    {static_cast<int64_t>(nr),
					     static_cast<int64_t>(nr_in)},
					    torch::kFloat32);
	if (loop->settings & TORCH_DIRECT) {
		loop->stack.clear();
		loop->stack.emplace_back(loop->module._ivalue());
		loop->stack.emplace_back(loop->in);
		loop->function->run(loop->stack);
		loop->out = std::move(loop->stack.back()).toTensor();
	} else {
		loop->args[0] = loop->in;
		loop->out = loop->module.forward(loop->args).toTensor();
	}
	return loop->out.data_ptr<float>();
} catch (const std::exception &e) {
	std::fprintf(stderr, "libtorch: %s\n", e.what());
	return nullptr;
}

void torch_loop_close(struct torch_loop *loop)
{
	delete loop;
}
