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
	torch::jit::Function *forward;
	torch::jit::Stack args;		// the module, a tensor, defaults
	torch::jit::Stack stack;	// of the call
	std::vector<at::Tensor> rows;	// views of the first 1, 2, 3... rows
	at::Tensor result;		// of the last call
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

		const std::string &text = extra[TORCH_SHIM_META];
		*meta = strndup(text.data(), text.size());
		return *meta ? shim.release() : nullptr;
	}, static_cast<torch_shim *>(nullptr), err, len);
}

int torch_shim_bind(struct torch_shim *shim, float *in, size_t max,
		    size_t nr_in, char *err, size_t len)
{
	return guarded([&]() -> int {
		c10::InferenceMode inference;
		const auto cols = static_cast<int64_t>(nr_in);

		shim->rows.clear();
		for (size_t nr = 1; nr <= max; nr++)
			shim->rows.push_back(torch::from_blob(
				in, {static_cast<int64_t>(nr), cols},
				torch::kFloat32));

		// Once instead of in every call, as Module::forward() does it.
		shim->forward = &shim->module.get_method("forward").function();
		shim->args = {shim->module._ivalue(), shim->rows.at(0)};
		shim->forward->getSchema().checkAndNormalizeInputs(shim->args, {});
		return 0;
	}, -1, err, len);
}

int torch_shim_forward(struct torch_shim *shim, size_t nr, size_t nr_out,
		       const float **out, char *err, size_t len)
{
	return guarded([&]() -> int {
		c10::InferenceMode inference;

		shim->stack.assign(shim->args.begin(), shim->args.end());
		shim->stack[1] = shim->rows.at(nr - 1);
		shim->forward->run(shim->stack);
		if (shim->stack.size() != 1 || !shim->stack[0].isTensor()) {
			std::snprintf(err, len, "its output is not a tensor");
			return -1;
		}

		at::Tensor t = std::move(shim->stack[0]).toTensor();
		if (t.dim() != 2 || t.size(0) != static_cast<int64_t>(nr) ||
		    t.size(1) != static_cast<int64_t>(nr_out)) {
			std::string shape;

			for (auto n : t.sizes())
				shape += (shape.empty() ? "" : ", ") + std::to_string(n);
			std::snprintf(err, len, "its output has the shape [%s] instead of [%zu, %zu]",
				      shape.c_str(), nr, nr_out);
			return -1;
		}
		if (!t.device().is_cpu() || t.scalar_type() != at::kFloat ||
		    !t.is_contiguous())
			t = t.to(torch::kCPU, torch::kFloat32).contiguous();
		shim->result = std::move(t);
		*out = shim->result.data_ptr<float>();
		return 0;
	}, -1, err, len);
}

void torch_shim_free(struct torch_shim *shim)
{
	delete shim;
}
