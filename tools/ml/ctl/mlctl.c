// SPDX-License-Identifier: GPL-2.0
/*
 * mlctl: look at proxies and say who decides.
 *
 * Each subcommand opens the device, does one thing and ends; no state is kept
 * outside of the kernel.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mlctl.h"

static const char usage[] =
"Usage: mlctl COMMAND\n"
"\n"
"  list                          all proxies: mode, agent and budgets\n"
"  schema NAME [--json]          features and outputs\n"
"  stats NAME                    counters and latency since it was registered\n"
"  watch NAME [-n SEC]           counters per second, until interrupted\n"
"  on NAME                       the model decides\n"
"  record NAME [--explore PERMILLE]\n"
"                                the default decides, the model runs in shadow;\n"
"                                PERMILLE of random decisions are applied\n"
"  off NAME                      the model is ignored\n"
"  set NAME [--rate N] [--deadline-us N] [--ttl-ms N] [--cap N[,N...]]\n"
"                                budgets; cap 0 is the default's own limit\n"
"\n"
"Options, before the command: --device FILE, --help\n";

static int fail_agent(void)
{
	fprintf(stderr, "mlctl: %s\n", mlagent_error());
	return 1;
}

static int fail_usage(const char *what)
{
	fprintf(stderr, "mlctl: %s: see 'mlctl --help'\n", what);
	return 2;
}

/* Return: whether @arg is a number in the range. */
static bool parse_u32(const char *arg, uint32_t min, uint32_t max, uint32_t *value)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(arg, &end, 0);
	if (errno || *end || end == arg || *arg == '-' || v < min || v > max)
		return false;
	*value = v;
	return true;
}

static bool parse_caps(const char *arg, int32_t *cap)
{
	for (int i = 0; i < ML_LIB_MAX_OUTPUTS; i++) {
		char *end;
		long v;

		errno = 0;
		v = strtol(arg, &end, 0);
		if (errno || end == arg || v < INT32_MIN || v > INT32_MAX)
			return false;
		cap[i] = v;
		if (!*end)
			return true;
		if (*end != ',')
			return false;
		arg = end + 1;
	}
	return false;
}

static int control(struct mlagent *agent, struct ml_lib_control *c,
		   const char *name)
{
	struct ml_lib_proxy p;

	if (mlagent_proxy_find(agent, name, &p))
		return fail_agent();
	c->id = p.id;
	if (mlagent_control(agent, c))
		return fail_agent();
	if (c->set & ML_LIB_SET_MODE && c->mode != ML_LIB_MODE_EMERGENCY &&
	    !(p.state & ML_LIB_PROXY_RUNNING))
		fprintf(stderr, "mlctl: %s has no running agent, so the default decides until one starts ('ml-agent --model %s=FILE')\n",
			name, name);
	return 0;
}

static int set_mode(struct mlagent *agent, const char *name, uint32_t mode)
{
	struct ml_lib_control c = { .set = ML_LIB_SET_MODE, .mode = mode };

	return control(agent, &c, name);
}

static int cmd_on(struct mlagent *agent, const char *name, int argc, char **argv)
{
	(void)argv;
	return argc ? fail_usage("on takes a NAME only") :
		      set_mode(agent, name, ML_LIB_MODE_RECOMMENDATION);
}

static int cmd_off(struct mlagent *agent, const char *name, int argc, char **argv)
{
	(void)argv;
	return argc ? fail_usage("off takes a NAME only") :
		      set_mode(agent, name, ML_LIB_MODE_EMERGENCY);
}

static int cmd_record(struct mlagent *agent, const char *name, int argc,
		      char **argv)
{
	struct ml_lib_control c = {
		.set = ML_LIB_SET_MODE | ML_LIB_SET_EXPLORE,
		.mode = ML_LIB_MODE_LEARNING,
	};

	/* Without --explore nothing is explored, whatever was set before. */
	if (argc && (argc != 2 || strcmp(argv[0], "--explore") ||
		     !parse_u32(argv[1], 0, 1000, &c.explore_permille)))
		return fail_usage("record NAME [--explore 0..1000]");
	return control(agent, &c, name);
}

static int cmd_set(struct mlagent *agent, const char *name, int argc,
		   char **argv)
{
	struct ml_lib_control c = { 0 };

	for (int i = 0; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";
		bool ok = false;

		if (!strcmp(argv[i], "--rate")) {
			ok = parse_u32(value, 1, 1000000, &c.rate);
			c.set |= ML_LIB_SET_RATE;
		} else if (!strcmp(argv[i], "--deadline-us")) {
			ok = parse_u32(value, 1, 10000000, &c.deadline_us);
			c.set |= ML_LIB_SET_DEADLINE;
		} else if (!strcmp(argv[i], "--ttl-ms")) {
			ok = parse_u32(value, 1, 60000, &c.ttl_ms);
			c.set |= ML_LIB_SET_TTL;
		} else if (!strcmp(argv[i], "--cap")) {
			ok = parse_caps(value, c.cap);
			c.set |= ML_LIB_SET_CAP;
		}
		if (!ok) {
			fprintf(stderr, "mlctl: set: '%s %s' is unknown or out of range: see 'mlctl --help' and mlctl(1)\n",
				argv[i], value);
			return 2;
		}
	}
	if (!c.set)
		return fail_usage("set: nothing to set");
	return control(agent, &c, name);
}

static int cmd_schema(struct mlagent *agent, const char *name, int argc,
		      char **argv)
{
	bool json = argc == 1 && !strcmp(argv[0], "--json");

	if (argc && !json)
		return fail_usage("schema NAME [--json]");
	return show_schema(agent, name, json) ? fail_agent() : 0;
}

static int cmd_stats(struct mlagent *agent, const char *name, int argc,
		     char **argv)
{
	(void)argv;
	if (argc)
		return fail_usage("stats takes a NAME only");
	return show_stats(agent, name) ? fail_agent() : 0;
}

static int cmd_watch(struct mlagent *agent, const char *name, int argc,
		     char **argv)
{
	uint32_t sec = 1;

	if (argc && (argc != 2 || strcmp(argv[0], "-n") ||
		     !parse_u32(argv[1], 1, 86400, &sec)))
		return fail_usage("watch NAME [-n SEC]");
	return watch_stats(agent, name, sec) ? fail_agent() : 0;
}

static const struct {
	const char *name;
	int (*run)(struct mlagent *agent, const char *name, int argc,
		   char **argv);
} commands[] = {
	{ "schema", cmd_schema },
	{ "stats", cmd_stats },
	{ "watch", cmd_watch },
	{ "on", cmd_on },
	{ "record", cmd_record },
	{ "off", cmd_off },
	{ "set", cmd_set },
};

static int dispatch(struct mlagent *agent, int argc, char **argv)
{
	if (!strcmp(argv[0], "list"))
		return argc > 1 ? fail_usage("list takes no arguments") :
		       show_list(agent) ? fail_agent() : 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[0], commands[i].name))
			return commands[i].run(agent, argv[1], argc - 2,
					       argv + 2);
	return 2;
}

/* Without the device, a wrong command should still be told as such. */
static bool known(const char *name, bool *needs_proxy)
{
	*needs_proxy = strcmp(name, "list");
	if (!*needs_proxy)
		return true;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(name, commands[i].name))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "device", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	const char *device = NULL;
	struct mlagent *agent;
	bool needs_proxy;
	int c, ret;

	while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (c != 'd')
			return fail_usage("bad option");
		device = optarg;
	}
	argc -= optind;
	argv += optind;
	if (!argc) {
		fputs(usage, stderr);
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help")) {
			fputs(usage, stdout);
			return 0;
		}
	}
	if (!known(argv[0], &needs_proxy))
		return fail_usage("unknown command");
	if (needs_proxy && argc < 2)
		return fail_usage("a proxy NAME is needed ('mlctl list' shows them)");

	if (mlagent_open(&agent, device))
		return fail_agent();
	ret = dispatch(agent, argc, argv);
	mlagent_close(agent);
	return ret;
}
