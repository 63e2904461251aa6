// SPDX-License-Identifier: GPL-2.0
// C++ headers first: they must not see what C headers define.
#include <torch/script.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "torch_shim.h"

struct torch_shim {
	torch::jit::script::Module module;
	std::vector<torch::jit::IValue> args;
};

namespace {

// The first line: libtorch appends a backtrace of its own.
void explain(const char *what, char *err, size_t len)
{
	const char *text = what;
	size_t n = std::strcspn(text, "\n");

	// A TorchScript exception has its message on the last line instead.
	if (std::strstr(text, "Traceback") && std::strrchr(text, '\n')) {
		std::string s(text);

		while (!s.empty() && s.back() == '\n')
			s.pop_back();
		std::snprintf(err, len, "%s",
			      s.substr(s.rfind('\n') + 1).c_str());
		return;
	}
	std::snprintf(err, len, "%.*s", static_cast<int>(n), text);
}

// Run @fn; an exception becomes an error text and @failed.
template <typename T, typename F>
T guarded(F fn, T failed, char *err, size_t len) noexcept
{
	try {
		return fn();
	} catch (const std::exception &e) {
		explain(e.what(), err, len);
	} catch (...) {
		explain("unknown exception", err, len);
	}
	return failed;
}

void single_threaded()
{
	static bool done;

	if (done)
		return;
	done = true;
	// Batches are small: handing work to other threads costs more.
	at::set_num_threads(1);
	at::set_num_interop_threads(1);
}

// Not every module can be frozen or optimized; it then runs as far as it got.
void optimize(torch::jit::script::Module &module)
{
	try {
		module = torch::jit::freeze(module);
		module = torch::jit::optimize_for_inference(module);
	} catch (const std::exception &) {
	}
}

} // namespace

struct torch_shim *torch_shim_load(const char *path, char **meta, char *err,
				   size_t len)
{
	return guarded([&]() -> torch_shim * {
		torch::jit::ExtraFilesMap extra{{TORCH_SHIM_META, ""}};
		auto shim = std::make_unique<torch_shim>();

		single_threaded();
		shim->module = torch::jit::load(path, torch::kCPU, extra);
		shim->module.eval();
		optimize(shim->module);
		shim->args.resize(1);

		const std::string &text = extra[TORCH_SHIM_META];
		*meta = strndup(text.data(), text.size());
		return *meta ? shim.release() : nullptr;
	}, static_cast<torch_shim *>(nullptr), err, len);
}

int torch_shim_forward(struct torch_shim *shim, float *in, size_t nr,
		       size_t nr_in, float *out, size_t nr_out, char *err,
		       size_t len)
{
	return guarded([&]() -> int {
		c10::InferenceMode inference;
		const auto rows = static_cast<int64_t>(nr);
		const auto cols = static_cast<int64_t>(nr_out);

		shim->args[0] = torch::from_blob(in, {rows, static_cast<int64_t>(nr_in)},
						 torch::kFloat32);
		torch::jit::IValue result = shim->module.forward(shim->args);

		if (!result.isTensor()) {
			std::snprintf(err, len, "its output is not a tensor");
			return -1;
		}
		at::Tensor t = result.toTensor();
		if (t.dim() != 2 || t.size(0) != rows || t.size(1) != cols) {
			std::string shape;

			for (auto n : t.sizes())
				shape += (shape.empty() ? "" : ", ") + std::to_string(n);
			std::snprintf(err, len, "its output has the shape [%s] instead of [%zu, %zu]",
				      shape.c_str(), nr, nr_out);
			return -1;
		}
		t = t.to(torch::kCPU, torch::kFloat32).contiguous();
		std::memcpy(out, t.data_ptr<float>(), nr * nr_out * sizeof(*out));
		return 0;
	}, -1, err, len);
}

void torch_shim_free(struct torch_shim *shim)
{
	delete shim;
}
