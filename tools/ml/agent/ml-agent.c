// SPDX-License-Identifier: GPL-2.0
/*
 * ml-agent: evaluates models for the kernel.
 *
 * This file is the command line and the life of the process: everything that
 * needs rights or files happens before privileges are dropped, and from then on
 * only the descriptors at hand are used.
 */
#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "model.h"
#include "privilege.h"
#include "record.h"
#include "run.h"

#define MAX_MODELS	16
#define MAX_BATCH	4096
#define KEEP_MODE	UINT32_MAX

#ifdef HAVE_TORCH
#define DEFAULT_BACKEND	"torch"
#else
#define DEFAULT_BACKEND	"linear"
#endif

struct want {
	const char *name;
	const char *spec;
	const struct backend *backend;
};

static struct options {
	struct want want[MAX_MODELS];
	unsigned int nr_wants;
	const struct backend *backend;
	uint32_t queues;
	uint32_t slots;
	uint32_t batch;
	uint32_t spin_us;
	uint32_t mode;
	uint64_t seed;
	uint32_t explore_block_ms;
	const char *device;
	const char *record;
	const char *user;
	const char *cpus;
	bool poll;
} opt = {
	.slots = 256,
	.batch = 64,
	.spin_us = 200,
	.mode = KEEP_MODE,
	.user = "nobody",
};

enum {
	KEY_BACKEND = 0x100, KEY_BATCH, KEY_CPU, KEY_DEVICE, KEY_EXPLORE,
	KEY_EXPLORE_BLOCK, KEY_MODE, KEY_NO_URING, KEY_QUEUES, KEY_SEED,
	KEY_SLOTS, KEY_SPIN, KEY_USER,
};

static const struct argp_option options[] = {
	{ "model", 'm', "NAME=FILE", 0, "Decide for proxy NAME by the model in FILE", 1 },
	{ "backend", KEY_BACKEND, "NAME", 0, "Evaluate models by torch, linear or null [" DEFAULT_BACKEND "]", 1 },
	{ "explore", KEY_EXPLORE, "NAME=SET", 0, "Decide for proxy NAME at random, by a value of SET like 1,4,16", 1 },
	{ "explore-block", KEY_EXPLORE_BLOCK, "MS", 0, "For every other MS milliseconds, draw one value for all objects", 1 },
	{ "seed", KEY_SEED, "N", 0, "Start of the random sequence [0]", 1 },
	{ "mode", KEY_MODE, "MODE", 0, "Set the mode of each proxy at the start: off, record or on [unchanged]", 1 },
	{ "record", 'r', "PREFIX", 0, "Record requests, decisions and feedback to PREFIX-*.npy", 2 },
	{ "queues", KEY_QUEUES, "N", 0, "Queues [one per possible CPU]", 3 },
	{ "slots", KEY_SLOTS, "N", 0, "Slots of each ring, a power of two [256]", 3 },
	{ "batch", KEY_BATCH, "N", 0, "Most requests in one evaluation [64]", 3 },
	{ "spin-us", KEY_SPIN, "N", 0, "Poll the rings this long without work before sleeping [200]", 3 },
	{ "cpu", KEY_CPU, "LIST", 0, "Run on these CPUs, like 0-3,8", 3 },
	{ "no-uring", KEY_NO_URING, NULL, 0, "Use poll() instead of io_uring", 3 },
	{ "user", KEY_USER, "USER", 0, "Become USER after the start [nobody]; root keeps all rights", 4 },
	{ "device", KEY_DEVICE, "FILE", 0, "The device [" MLAGENT_DEVICE "]", 4 },
	{ "quiet", 'q', NULL, 0, "Say only what is wrong", 4 },
	{ 0 }
};

static uint64_t number(struct argp_state *state, const char *what,
		       const char *arg, uint64_t min, uint64_t max)
{
	char *end;
	uint64_t v;

	errno = 0;
	v = strtoull(arg, &end, 0);
	if (errno || *end || end == arg || *arg == '-' || v < min || v > max)
		argp_error(state, "--%s %s: not a number from %" PRIu64 " to %" PRIu64,
			   what, arg, min, max);
	return v;
}

static void add_want(struct argp_state *state, char *arg,
		     const struct backend *backend)
{
	char *spec = strchr(arg, '=');

	if (opt.nr_wants == MAX_MODELS)
		argp_error(state, "more than %d models", MAX_MODELS);
	if (spec)
		*spec++ = '\0';
	for (unsigned int i = 0; i < opt.nr_wants; i++)
		if (!strcmp(opt.want[i].name, arg))
			argp_error(state, "%s: a proxy has one --model or --explore",
				   arg);
	opt.want[opt.nr_wants++] = (struct want) {
		.name = arg,
		.spec = spec ? spec : "",
		.backend = backend,
	};
}

/* Once --backend is known: what --model means. */
static void complete_wants(struct argp_state *state)
{
	if (!opt.nr_wants)
		argp_error(state, "--model or --explore is needed; 'mlctl list' shows the proxies");
	for (unsigned int i = 0; i < opt.nr_wants; i++) {
		struct want *want = &opt.want[i];

		if (!want->backend)
			want->backend = opt.backend;
		if (!want->spec[0] && want->backend != &backend_null)
			argp_error(state, "%s: NAME=%s is needed", want->name,
				   want->backend == &backend_explore ?
				   "SET" : "FILE");
	}
}

static uint32_t parse_mode(struct argp_state *state, const char *arg)
{
	for (uint32_t i = 0; mlagent_mode_name(i); i++)
		if (i != ML_LIB_MODE_COLLABORATION &&
		    !strcmp(mlagent_mode_name(i), arg))
			return i;
	argp_error(state, "--mode %s: off, record or on is needed", arg);
	return KEEP_MODE;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case 'm':
		add_want(state, arg, NULL);
		break;
	case KEY_BACKEND:
		opt.backend = backend_find(arg);
		if (!opt.backend)
			argp_error(state, "--backend %s: not built in; see --help",
				   arg);
		break;
	case KEY_EXPLORE:
		add_want(state, arg, &backend_explore);
		break;
	case KEY_EXPLORE_BLOCK:
		opt.explore_block_ms = number(state, "explore-block", arg, 1, 60000);
		break;
	case KEY_SEED:
		opt.seed = number(state, "seed", arg, 0, UINT64_MAX);
		break;
	case KEY_MODE:
		opt.mode = parse_mode(state, arg);
		break;
	case 'r':
		opt.record = arg;
		break;
	case KEY_QUEUES:
		opt.queues = number(state, "queues", arg, 1, UINT16_MAX);
		break;
	case KEY_SLOTS:
		opt.slots = number(state, "slots", arg, 8, 1U << 20);
		break;
	case KEY_BATCH:
		opt.batch = number(state, "batch", arg, 1, MAX_BATCH);
		break;
	case KEY_SPIN:
		opt.spin_us = number(state, "spin-us", arg, 0, 10000000);
		break;
	case KEY_CPU:
		opt.cpus = arg;
		break;
	case KEY_NO_URING:
		opt.poll = true;
		break;
	case KEY_USER:
		opt.user = arg;
		break;
	case KEY_DEVICE:
		opt.device = arg;
		break;
	case 'q':
		log_quiet = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s': not an option", arg);
		break;
	case ARGP_KEY_END:
		complete_wants(state);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int end_fd;

static void end(int signal)
{
	int err = errno;

	(void)signal;
	eventfd_write(end_fd, 1);
	errno = err;
}

/*
 * Get a descriptor that tells of the signals that end the agent. Not a signalfd,
 * which wants them blocked in all threads: libraries start some before main().
 */
static int open_signals(void)
{
	static const int may_ignore[] = { SIGINT, SIGHUP };
	struct sigaction action = { .sa_handler = end, .sa_flags = SA_RESTART };
	struct sigaction old;

	end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (end_fd < 0) {
		warn("eventfd: %s", strerror(errno));
		return -1;
	}
	sigaction(SIGTERM, &action, NULL);
	/* Ignored from the start on: nohup, or a shell's background. */
	for (unsigned int i = 0; i < 2; i++)
		if (!sigaction(may_ignore[i], NULL, &old) &&
		    old.sa_handler != SIG_IGN)
			sigaction(may_ignore[i], &action, NULL);
	/* A recording is completed whoever reads what is said, and however large. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return end_fd;
}

static char *join(int argc, char **argv)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	for (int i = 0; i < argc; i++)
		fprintf(file, "%s%s", i ? " " : "", argv[i]);
	fclose(file);
	return text;
}

/* Load the models; sets *payload to the largest feature vector. */
static int load(struct mlagent *agent, struct run *r, uint32_t *payload)
{
	for (unsigned int i = 0; i < opt.nr_wants; i++) {
		struct model *model = &r->model[i];
		struct ml_lib_proxy proxy;

		if (mlagent_proxy_find(agent, opt.want[i].name, &proxy) ||
		    mlagent_schema(agent, &proxy, &model->schema)) {
			warn("%s", mlagent_error());
			return -1;
		}
		r->nr_models++;
		model->backend = opt.want[i].backend;
		model->spec = opt.want[i].spec;
		model->seed = opt.seed;
		model->explore_block_ms = opt.explore_block_ms;
		if (model_open(model, opt.batch))
			return -1;
		if (*payload < model->schema->feature_bytes)
			*payload = model->schema->feature_bytes;
	}
	return 0;
}

static int start_recording(struct run *r, const char *command)
{
	for (unsigned int i = 0; i < r->nr_models; i++) {
		struct model *model = &r->model[i];
		char *prefix;
		int n;

		/* With several models the proxy's name tells the files apart. */
		n = asprintf(&prefix, "%s%s%s", opt.record,
			     r->nr_models > 1 ? "-" : "",
			     r->nr_models > 1 ? model->schema->name : "");
		if (n < 0)
			return -1;
		for (char *p = prefix + strlen(opt.record); *p; p++)
			if (*p == '/')
				*p = '-';
		model->record = record_open(r->loop, prefix, model, command);
		free(prefix);
		if (!model->record)
			return -1;
	}
	r->recording = true;
	return 0;
}

static int attach(struct mlagent *agent, const struct run *r, uint32_t payload)
{
	if (mlagent_setup(agent, opt.queues, opt.slots, payload))
		return -1;
	for (unsigned int i = 0; i < r->nr_models; i++)
		if (mlagent_attach(agent, r->model[i].schema))
			return -1;
	return mlagent_start(agent);
}

/* The mode stays when the agent goes: set it when nothing can fail any more. */
static int set_modes(struct mlagent *agent, const struct run *r)
{
	if (opt.mode == KEEP_MODE)
		return 0;
	for (unsigned int i = 0; i < r->nr_models; i++) {
		struct ml_lib_control control = {
			.id = r->model[i].schema->id,
			.set = ML_LIB_SET_MODE,
			.mode = opt.mode,
		};

		if (mlagent_control(agent, &control))
			return -1;
	}
	return 0;
}

static void summary(const struct run *r)
{
	for (unsigned int i = 0; i < r->nr_models; i++) {
		const struct model *m = &r->model[i];

		note("%s: requests=%" PRIu64 " feedback=%" PRIu64 " batches=%" PRIu64
		     " decided=%" PRIu64 " declined=%" PRIu64 " range=%" PRIu64
		     " failed=%" PRIu64 " ring_full=%" PRIu64,
		     m->schema->name, m->requests, m->feedbacks, m->batches,
		     m->tally.decided, m->tally.declined, m->tally.range,
		     m->failed, m->full);
	}
	note("kicks=%" PRIu64 " sleeps=%" PRIu64 " foreign=%" PRIu64, r->kicks,
	     r->sleeps, r->foreign);
}

static void introduce(struct mlagent *agent, const struct model *model)
{
	const char *name = model->schema->name;
	struct ml_lib_proxy proxy;

	note("%s: %s %s", name, model->backend->name, model->spec);
	if (!mlagent_proxy_find(agent, name, &proxy) &&
	    proxy.mode == ML_LIB_MODE_EMERGENCY)
		note("%s is off, so the kernel asks nothing: 'mlctl record %s' or 'mlctl on %s'",
		     name, name, name);
}

static int serve(struct mlagent *agent, struct run *r, const char *command)
{
	uint32_t payload = 8;
	int ret;

	if (load(agent, r, &payload))
		return -1;
	privilege_mlock();
	if (attach(agent, r, payload)) {
		warn("%s", mlagent_error());
		return -1;
	}
	if ((opt.record && start_recording(r, command)) || privilege_drop())
		return -1;
	if (set_modes(agent, r)) {
		warn("%s", mlagent_error());
		return -1;
	}

	for (unsigned int i = 0; i < r->nr_models; i++)
		introduce(agent, &r->model[i]);
	note("serving by %s, %u queues, as %s", r->loop->ops->name,
	     mlagent_nr_queues(agent), opt.user);
	ret = run(r);
	summary(r);

	/* A broken session refuses these, and close() does the same. */
	if (!mlagent_stop(agent))
		for (unsigned int i = 0; i < r->nr_models; i++)
			mlagent_detach(agent, r->model[i].schema->id);
	return ret;
}

static void finish(struct run *r)
{
	/* What was not read any more would keep the loop awake. */
	r->loop->agent = NULL;
	for (unsigned int i = 0; i < r->nr_models; i++) {
		struct model *m = &r->model[i];
		uint64_t lost = m->record ? record_close(m->record) : 0;

		if (lost)
			warn("%s: %" PRIu64 " rows were not recorded: the disk was full or too slow",
			     m->schema->name, lost);
		model_close(m);
	}
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		.options = options,
		.parser = parse,
		.doc = "Evaluate machine-learning models for the kernel (ML_LIB).",
	};
	static struct model models[MAX_MODELS];
	struct run r = { .model = models };
	struct mlagent *agent = NULL;
	char *command = join(argc, argv);
	int signals, ret = -1;

	opt.backend = backend_find(DEFAULT_BACKEND);
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	r.spin_ns = opt.spin_us * 1000ULL;

	signals = open_signals();
	if (!command || signals < 0 || privilege_find(opt.user) ||
	    (opt.cpus && privilege_cpus(opt.cpus)))
		goto out;
	if (mlagent_open(&agent, opt.device)) {
		warn("%s", mlagent_error());
		goto out;
	}
	r.agent = agent;
	r.loop = loop_open(agent, signals, !opt.poll);
	if (!r.loop) {
		warn("out of memory");
		goto out;
	}
	ret = serve(agent, &r, command);
	finish(&r);
	r.loop->ops->close(r.loop);
out:
	mlagent_close(agent);
	free(command);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
