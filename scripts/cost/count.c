// SPDX-License-Identifier: GPL-2.0
/*
 * A QEMU plugin that counts the instructions of a guest by kernel function.
 *
 *	-plugin count.so,syms=System.map,out=FILE
 *
 * The guest marks what is to be counted by a call to an address: MARKS + 64 * id
 * begins region id, MARKS + 0 ends it. At the end the counts are appended to
 * FILE: "region ID", then "NAME INSTRUCTIONS CALLS" for the user mode as a whole
 * ("[user]") and for each kernel function that ran, where a call is an execution
 * of the function's first instruction.
 *
 * A string instruction (rep movsb) executes in QEMU once per element; here it
 * counts once, as it would on hardware. Only one virtual CPU at a time may run,
 * which -icount or thread=single see to.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The part of QEMU's <qemu-plugin.h> that is used, which Debian does not
 * package. It is the same in all versions of the interface.
 */
#define EXPORT __attribute__((visibility("default")))
struct qemu_plugin_tb;
typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info qemu_info_t;
typedef void (*tb_trans_cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*exec_cb)(unsigned int vcpu, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_cb cb);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, exec_cb cb,
					  int flags, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info,
			       int argc, char **argv);

#define MARKS		0x4d4c00000000ULL
#define MARK_STRIDE	64
#define NR_MARKS	64
#define KERNEL		(1ULL << 63)
#define NR_BUCKETS	(1U << 18)

struct symbol {
	uint64_t addr;
	char *name;
	uint64_t insns;
	uint64_t calls;
};

/* A translated block: so many instructions from an address on. */
struct block {
	struct block *next;
	struct symbol *symbol;
	uint64_t addr;
	uint32_t insns;
	uint32_t entry;
};

static struct symbol user = { .name = "[user]" };
static struct symbol *symbols;		/* by address */
static size_t nr_symbols;
static struct block *bucket[NR_BUCKETS];
static struct block *last;
static FILE *out;

static void read_symbols(const char *path)
{
	FILE *file = fopen(path, "re");
	size_t room = 0;
	char name[256], type;
	uint64_t addr;

	if (!file) {
		perror(path);
		exit(1);
	}
	while (fscanf(file, "%" SCNx64 " %c %255s", &addr, &type, name) == 3) {
		if (!strchr("tTwW", type) ||
		    (nr_symbols && symbols[nr_symbols - 1].addr == addr))
			continue;
		if (nr_symbols == room) {
			room = room ? 2 * room : 65536;
			symbols = realloc(symbols, room * sizeof(*symbols));
			if (!symbols)
				abort();
		}
		symbols[nr_symbols++] = (struct symbol) {
			.addr = addr, .name = strdup(name),
		};
	}
	fclose(file);
	if (!nr_symbols) {
		fprintf(stderr, "%s: no symbols\n", path);
		exit(1);
	}
}

static struct symbol *find_symbol(uint64_t addr)
{
	size_t low = 0, high = nr_symbols;

	if (!(addr & KERNEL))
		return &user;
	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		if (symbols[mid].addr <= addr)
			low = mid;
		else
			high = mid;
	}
	return &symbols[low];
}

static void count(unsigned int vcpu, void *data)
{
	struct block *b = data;

	(void)vcpu;
	if (b == last && b->insns == 1)
		return;			/* the next round of a string instruction */
	last = b;
	b->symbol->insns += b->insns;
	b->symbol->calls += b->entry;
}

static void clear(void)
{
	user.insns = 0;
	for (size_t i = 0; i < nr_symbols; i++) {
		symbols[i].insns = 0;
		symbols[i].calls = 0;
	}
}

static void mark(unsigned int vcpu, void *data)
{
	static unsigned int region;
	unsigned int id = (uintptr_t)data;

	(void)vcpu;
	if (!id && region) {
		fprintf(out, "region %u\n[user] %" PRIu64 " 0\n", region,
			user.insns);
		for (size_t i = 0; i < nr_symbols; i++)
			if (symbols[i].insns)
				fprintf(out, "%s %" PRIu64 " %" PRIu64 "\n",
					symbols[i].name, symbols[i].insns,
					symbols[i].calls);
		fflush(out);
	}
	region = id;
	clear();
}

static struct block *find_block(uint64_t addr, uint32_t insns)
{
	uint32_t hash = (addr * 0x9e3779b97f4a7c15ULL) >> 46;
	struct block *b;

	for (b = bucket[hash]; b; b = b->next)
		if (b->addr == addr && b->insns == insns)
			return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->addr = addr;
	b->insns = insns;
	b->symbol = find_symbol(addr);
	b->entry = b->symbol->addr == addr;
	b->next = bucket[hash];
	bucket[hash] = b;
	return b;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	uint64_t addr = qemu_plugin_tb_vaddr(tb);

	(void)id;
	if (addr - MARKS < NR_MARKS * MARK_STRIDE)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, mark, 0,
			(void *)(uintptr_t)((addr - MARKS) / MARK_STRIDE));
	else
		qemu_plugin_register_vcpu_tb_exec_cb(tb, count, 0,
			find_block(addr, qemu_plugin_tb_n_insns(tb)));
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
			char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "syms=", 5)) {
			read_symbols(argv[i] + 5);
		} else if (!strncmp(argv[i], "out=", 4)) {
			out = fopen(argv[i] + 4, "we");
		} else {
			fprintf(stderr, "count: unknown argument %s\n", argv[i]);
			return 1;
		}
	}
	if (!nr_symbols || !out) {
		fprintf(stderr, "count: syms= and out= are needed\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
