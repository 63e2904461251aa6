// SPDX-License-Identifier: GPL-2.0
/*
 * TorchScript models. The file carries its metadata (see meta.c) as the extra
 * file "ml_lib.json", so one file is one model.
 *
 * The executor of TorchScript compiles during the first calls of each shape, so
 * a model is run some times when it is loaded. This also shows that it runs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "model.h"
#include "torch_shim.h"

#define WARM_UP	4

static int run(struct model *model, unsigned int nr, char *err, size_t len)
{
	return torch_shim_forward(model->priv, nr, model->schema->nr_outputs,
				  &model->out, err, len);
}

static int check_meta(struct model *model, const char *text)
{
	const char *proxy = model->schema->name;
	cJSON *meta = cJSON_Parse(text);
	int ret;

	if (!meta) {
		warn("%s: has no usable %s: save it with _extra_files={'%s': ...} and the schema of 'mlctl schema %s --json'",
		     model->spec, TORCH_SHIM_META, TORCH_SHIM_META, proxy);
		return -1;
	}
	ret = meta_check(model, meta);
	cJSON_Delete(meta);
	return ret;
}

static int torch_load(struct model *model)
{
	char *meta = NULL;
	char err[512] = "out of memory";
	int ret;

	if (!model_readable(model))
		return -1;
	model->priv = torch_shim_load(model->spec, &meta, err, sizeof(err));
	if (!model->priv) {
		warn("%s: cannot be loaded (%s): is it a TorchScript file saved by torch.jit.save()?",
		     model->spec, err);
		return -1;
	}
	ret = check_meta(model, meta);
	free(meta);
	if (ret)
		return ret;

	/* The batch is still all zeros. */
	ret = torch_shim_bind(model->priv, model->in, model->max,
			      model->schema->nr_features, err, sizeof(err));
	for (int i = 0; i < WARM_UP && !ret; i++) {
		ret = run(model, 1, err, sizeof(err));
		if (!ret)
			ret = run(model, model->max, err, sizeof(err));
	}
	if (ret)
		warn("%s: fails on a trial of %u features and %u outputs: %s: the model must map float32 [N, %u] to [N, %u]",
		     model->spec, model->schema->nr_features,
		     model->schema->nr_outputs, err, model->schema->nr_features,
		     model->schema->nr_outputs);
	return ret;
}

static int torch_forward(struct model *model, unsigned int nr)
{
	char err[512];

	if (!run(model, nr, err, sizeof(err)))
		return 0;
	/* Say it once; the count is in the summary. */
	if (!model->failed)
		warn("%s: %s: such batches are declined; call the file in PyTorch with features as 'mlctl schema %s' tells them",
		     model->spec, err, model->schema->name);
	return -1;
}

static void torch_unload(struct model *model)
{
	torch_shim_free(model->priv);
}

const struct backend backend_torch = {
	.name		= "torch",
	.load		= torch_load,
	.forward	= torch_forward,
	.unload		= torch_unload,
};
