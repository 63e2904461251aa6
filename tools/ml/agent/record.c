// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "npy.h"
#include "record.h"
#include "schema_json.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ORDER	"<"
#else
#define ORDER	">"
#endif

/* 64 features, each "('name', '<u8'), " */
#define MAX_DESCR	8192

struct record {
	const struct mlagent_schema *schema;
	struct npy *requests;
	struct npy *decisions;
	struct npy *feedback;
};

/* A dtype in the making: its text and the size of a row. */
struct dtype {
	char text[MAX_DESCR];
	size_t len;
	size_t size;
};

static const struct {
	const char *code;
	unsigned int size;
} numpy_type[] = {
	[ML_LIB_U8]	= { "|u1", 1 },
	[ML_LIB_S8]	= { "|i1", 1 },
	[ML_LIB_U16]	= { ORDER "u2", 2 },
	[ML_LIB_S16]	= { ORDER "i2", 2 },
	[ML_LIB_U32]	= { ORDER "u4", 4 },
	[ML_LIB_S32]	= { ORDER "i4", 4 },
	[ML_LIB_U64]	= { ORDER "u8", 8 },
	[ML_LIB_S64]	= { ORDER "i8", 8 },
};

static void add_text(struct dtype *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	d->len += vsnprintf(d->text + d->len, sizeof(d->text) - d->len, fmt, ap);
	va_end(ap);
}

static void add_code(struct dtype *d, const char *name, const char *code,
		     unsigned int size)
{
	add_text(d, "%s('%s', '%s')", d->len ? ", " : "[", name, code);
	d->size += size;
}

static void add(struct dtype *d, const char *name, uint32_t type)
{
	add_code(d, name, numpy_type[type].code, numpy_type[type].size);
}

static void add_numbered(struct dtype *d, const char *stem, uint32_t nr)
{
	char name[ML_LIB_NAME_LEN];

	for (uint32_t i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%s%u", stem, i);
		add(d, name, ML_LIB_S32);
	}
}

/* A feature keeps its name unless the record has a field of that name. */
static void add_feature(struct dtype *d, const struct ml_lib_field *f)
{
	bool taken = !strcmp(f->name, "cookie") || !strcmp(f->name, "time_ns") ||
		     !strcmp(f->name, "object");
	char name[ML_LIB_NAME_LEN + 1];

	snprintf(name, sizeof(name), "%s%s", f->name, taken ? "_" : "");
	add(d, name, f->type);
}

static void cannot_record(const char *path)
{
	if (errno == EEXIST)
		warn("%s exists: give --record another prefix, or remove it", path);
	else
		warn("%s: %s: cannot record: give --record a prefix in a directory that can be written",
		     path, strerror(errno));
}

static struct npy *open_array(struct loop *loop, const char *prefix,
			      const char *what, struct dtype *d)
{
	struct npy *npy;
	char *path;

	add_text(d, "]");
	if (asprintf(&path, "%s-%s.npy", prefix, what) < 0)
		return NULL;
	npy = npy_open(loop, path, d->text, d->size);
	if (!npy)
		cannot_record(path);
	free(path);
	return npy;
}

static cJSON *describe(const struct model *model, const char *command)
{
	cJSON *json = schema_to_json(model->schema);
	struct utsname u = { 0 };
	char text[128];
	time_t now = time(NULL);
	struct tm tm;

	uname(&u);
	snprintf(text, sizeof(text), "%.60s %.60s", u.release, u.machine);
	cJSON_AddStringToObject(json, "kernel", text);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	cJSON_AddStringToObject(json, "time", text);
	cJSON_AddStringToObject(json, "command", command);
	cJSON_AddStringToObject(json, "backend", model->backend->name);
	cJSON_AddNumberToObject(json, "model", model->version);
	if (model->backend == &backend_explore) {
		cJSON_AddStringToObject(json, "explore", model->spec);
		cJSON_AddNumberToObject(json, "explore_block_ms",
					model->explore_block_ms);
		/* As text: a double does not hold every seed. */
		snprintf(text, sizeof(text), "%llu",
			 (unsigned long long)model->seed);
		cJSON_AddStringToObject(json, "seed", text);
	} else {
		cJSON_AddStringToObject(json, "file", model->spec);
	}
	return json;
}

static int write_description(const char *prefix, const struct model *model,
			     const char *command)
{
	cJSON *json = describe(model, command);
	char *text = cJSON_Print(json);
	char *path = NULL;
	int fd, ret = -1;

	cJSON_Delete(json);
	if (!text || asprintf(&path, "%s.json", prefix) < 0)
		goto out;
	fd = npy_create(path);
	if (fd >= 0) {
		ret = dprintf(fd, "%s\n", text) < 0 ? -1 : 0;
		close(fd);
	}
	if (ret)
		cannot_record(path);
out:
	free(path);
	free(text);
	return ret;
}

struct record *record_open(struct loop *loop, const char *prefix,
			   const struct model *model, const char *command)
{
	const struct mlagent_schema *s = model->schema;
	struct dtype req = { 0 }, dec = { 0 }, fb = { 0 };
	struct record *rec = calloc(1, sizeof(*rec));

	if (!rec)
		return NULL;
	rec->schema = s;

	add(&req, "cookie", ML_LIB_U64);
	add(&req, "time_ns", ML_LIB_U64);
	add(&req, "object", ML_LIB_U64);
	for (uint32_t i = 0; i < s->nr_features; i++)
		add_feature(&req, &s->field[i]);

	add(&dec, "cookie", ML_LIB_U64);
	add(&dec, "time_ns", ML_LIB_U64);
	add(&dec, "flags", ML_LIB_U32);
	add_numbered(&dec, "out", s->nr_outputs);
	add_code(&dec, "probability", ORDER "f4", 4);
	add(&dec, "model", ML_LIB_U32);

	add(&fb, "cookie", ML_LIB_U64);
	add(&fb, "time_ns", ML_LIB_U64);
	add(&fb, "object", ML_LIB_U64);
	add(&fb, "cost", ML_LIB_U64);
	add(&fb, "units", ML_LIB_U64);
	add(&fb, "extra", ML_LIB_U64);
	add_numbered(&fb, "applied", s->nr_outputs);
	add(&fb, "arm", ML_LIB_U32);

	rec->requests = open_array(loop, prefix, "requests", &req);
	if (rec->requests)
		rec->decisions = open_array(loop, prefix, "decisions", &dec);
	if (rec->decisions)
		rec->feedback = open_array(loop, prefix, "feedback", &fb);
	if (!rec->feedback || write_description(prefix, model, command)) {
		record_close(rec);
		return NULL;
	}
	return rec;
}

/* Append a value of @size bytes to the row at @p. */
static char *put(char *p, const void *value, size_t size)
{
	return (char *)memcpy(p, value, size) + size;
}

#define PUT(p, v)	put((p), &(v), sizeof(v))

void record_request(struct record *rec, const struct ml_lib_request *req)
{
	const struct mlagent_schema *s = rec->schema;
	char *p = npy_row(rec->requests);

	if (!p)
		return;
	p = PUT(p, req->cookie);
	p = PUT(p, req->time_ns);
	p = PUT(p, req->object);
	for (uint32_t i = 0; i < s->nr_features; i++)
		p = put(p, req->payload + s->field[i].offset,
			numpy_type[s->field[i].type].size);
}

void record_decision(struct record *rec, uint64_t cookie, uint64_t time_ns,
		     uint32_t flags, const int32_t *out, float probability,
		     uint32_t model)
{
	char *p = npy_row(rec->decisions);

	if (!p)
		return;
	p = PUT(p, cookie);
	p = PUT(p, time_ns);
	p = PUT(p, flags);
	p = put(p, out, rec->schema->nr_outputs * sizeof(*out));
	p = PUT(p, probability);
	PUT(p, model);
}

void record_feedback(struct record *rec, const struct ml_lib_request *req)
{
	struct ml_lib_feedback fb;
	char *p = npy_row(rec->feedback);

	if (!p)
		return;
	memcpy(&fb, req->payload, sizeof(fb));
	p = PUT(p, req->cookie);
	p = PUT(p, req->time_ns);
	p = PUT(p, req->object);
	p = PUT(p, fb.cost);
	p = PUT(p, fb.units);
	p = PUT(p, fb.extra);
	p = put(p, fb.applied, rec->schema->nr_outputs * sizeof(fb.applied[0]));
	PUT(p, fb.arm);
}

void record_flush(struct record *rec)
{
	npy_flush(rec->requests);
	npy_flush(rec->decisions);
	npy_flush(rec->feedback);
}

uint64_t record_close(struct record *rec)
{
	struct npy *all[] = { rec->requests, rec->decisions, rec->feedback };
	uint64_t lost = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		lost += npy_close(all[i]);
	free(rec);
	return lost;
}
