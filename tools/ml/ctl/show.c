// SPDX-License-Identifier: GPL-2.0
/* Tables of proxies and schemas. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "mlctl.h"
#include "schema_json.h"

static const char *agent_state(const struct ml_lib_proxy *p)
{
	if (p->state & ML_LIB_PROXY_RUNNING)
		return "running";
	return p->state & ML_LIB_PROXY_ATTACHED ? "attached" : "none";
}

static void print_caps(const struct ml_lib_proxy *p)
{
	for (uint32_t i = 0; i < p->nr_outputs && i < ML_LIB_MAX_OUTPUTS; i++) {
		if (i)
			putchar(',');
		if (p->cap[i])
			printf("%d", p->cap[i]);
		else
			printf("default");
	}
	putchar('\n');
}

int show_list(struct mlagent *agent)
{
	struct ml_lib_proxy p;
	uint32_t id = 0;
	int ret;

	printf("%-24s %3s %-7s %-8s %8s %11s %7s %8s %s\n", "NAME", "ID", "MODE",
	       "AGENT", "RATE/S", "DEADLINE-US", "TTL-MS", "EXPLORE", "CAP");
	while ((ret = mlagent_proxy_next(agent, id, &p)) > 0) {
		const char *mode = mlagent_mode_name(p.mode);

		printf("%-24s %3u %-7s %-8s %8u %11u %7u %7.1f%% ", p.name, p.id,
		       mode ? mode : "?", agent_state(&p), p.rate,
		       p.deadline_us, p.ttl_ms, p.explore_permille / 10.0);
		print_caps(&p);
		id = p.id + 1;
	}
	return ret;
}

static void print_field(const struct ml_lib_field *f)
{
	const char *type = mlagent_type_name(f->type);

	printf("  %-24s %-4s %6u %8u %20" PRId64 " %20" PRId64 "  %s\n", f->name,
	       type ? type : "?", f->offset, f->scale, (int64_t)f->min,
	       (int64_t)f->max, f->unit);
}

static void print_fields(const char *title, const char *offset,
			 const struct ml_lib_field *f, uint32_t nr)
{
	printf("%s:\n  %-24s %-4s %6s %8s %20s %20s  %s\n", title, "NAME",
	       "TYPE", offset, "SCALE", "MIN", "MAX", "UNIT");
	for (uint32_t i = 0; i < nr; i++)
		print_field(&f[i]);
}

int show_schema(struct mlagent *agent, const char *name, bool json)
{
	struct mlagent_schema *s;
	struct ml_lib_proxy p;
	int err;

	err = mlagent_proxy_find(agent, name, &p);
	if (!err)
		err = mlagent_schema(agent, &p, &s);
	if (err)
		return err;

	if (json) {
		cJSON *obj = schema_to_json(s);
		char *text = cJSON_Print(obj);

		puts(text ? text : "");
		free(text);
		cJSON_Delete(obj);
	} else {
		printf("%s: schema 0x%016" PRIx64 ", %u bytes\n", s->name,
		       s->hash, s->feature_bytes);
		print_fields("features", "OFFSET", s->field, s->nr_features);
		print_fields("outputs", "INDEX", s->field + s->nr_features,
			     s->nr_outputs);
	}
	free(s);
	return 0;
}
