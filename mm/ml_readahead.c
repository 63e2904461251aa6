// SPDX-License-Identifier: GPL-2.0
/*
 * Readahead windows by advice: the proxy mm/readahead.
 *
 * read_ahead_kb is one number for all files of a device. The best window
 * depends on how a file is read, on the device, and on how much memory is left
 * for what was read ahead. A model sees these together; this file tells it how
 * each file is read, and lets it say how many pages a window may have.
 *
 *   sync miss, mark or fault          mm/readahead.c, mm/filemap.c
 *       |
 *   ml_ra_window() --> note the event; at the end of an episode report its
 *       |              cost, submit its features
 *       +----------->  read the advice: limit of the window, for this event
 *
 * A read() that misses alone, with nothing cached before it, is read as it is:
 * no window has a part in that. While a file is read so, its episodes are plain.
 * Advice could not make them better, so nobody is asked and none is looked up;
 * the agent sleeps, and events are hardly more than counted. When windows are
 * used again a new episode begins, as short as a new file's, after which advice
 * is asked for.
 *
 * Nothing is written to struct file_ra_state: advice replaces the limit at the
 * moment of use, and a window that is larger shrinks at its next mark. So there
 * is nothing to undo when the model goes away, except that a stream keeps its
 * window where the default limit is less: ml_ra_outlived() sees to that.
 *
 * A file whose reader has said what it wants (FMODE_RANDOM, VM_RAND_READ,
 * VM_SEQ_READ), huge pages, executable mappings and files without readahead get
 * no advice: faults through such a mapping are left alone, but one through a
 * sequential mapping, and a mark that was reached through a sequential, huge or
 * executable one, makes the file begin anew. The window never exceeds the file's
 * own ra_pages, except as far as the operator raised the cap of the proxy, and is
 * never less than the request itself would have got by default.
 *
 * State is kept in a set-associative table with the address of file->f_ra as
 * key, an opaque number that is never dereferenced; struct file does not grow.
 * A slot of the table is the index of the advice. Closed files are not
 * announced: an entry can go when it has been idle for a second, the one that
 * has been idle longest first. A new file at an old address finds nothing,
 * because file_ra_state_init() forgets the key. That call does nothing while
 * the proxy is inactive, so an entry is also worth nothing when it has been
 * idle for longer than ENTRY_LIFE; and the core drops all advice whenever a
 * proxy is turned on or off or loses its agent. Only a file that was opened while
 * the proxy was off for less than that can inherit: what windows have cost the
 * one before, until its own episodes differ.
 *
 * Locks: a spinlock, shared by some sets, protects entries. Everything runs in
 * process context; nothing that is done under the lock sleeps: arithmetic, clocks,
 * random numbers, work items, ml_*() calls (raw spinlock of a queue), and a
 * device's lock, which is only tried. An event that finds the lock taken is not
 * counted, and looks its advice up without the lock: keys are published with
 * release semantics after the slot's advice was reset. At worst one window is
 * sized by advice for another file. The table is allocated by a work item on
 * the first event and lives forever.
 */

#include <linux/backing-dev.h>
#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/hash.h>
#include <linux/init.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>

#include "ml_readahead.h"

#define WAYS		4
#define SETS		1024
#define SLOTS		(SETS * WAYS)
#define LOCKS		64
#define DEVS		32

/* Largest window that can be advised: 16 MiB of 4 KiB pages. */
#define MAX_WINDOW	4096

/*
 * An episode ends after LONG events, or SLOW jiffies if there are at least
 * SHORT events; the first of a file after FIRST events. On a fast device it
 * lasts FAST jiffies at least, to keep the overhead down.
 */
#define LONG		32
#define FIRST		8
#define SHORT		4
#define SLOW		msecs_to_jiffies(100)
#define FAST		msecs_to_jiffies(20)
#define MOST		4096

/* An episode is plain if windows read no more than one of so many of its pages. */
#define PLAIN		8

/*
 * A file whose window and cost stay as they are asks for advice after STEADY
 * jiffies, and then after twice as long each time, up to SELDOM. If its last
 * episode used no window, and so says nothing about them, it is SELDOM at once.
 */
#define STEADY		msecs_to_jiffies(250)
#define SELDOM		HZ

/* A reader that pauses for so long begins anew: its time is no cost of ours. */
#define PAUSE		HZ
#define ENTRY_LIFE	(3 * HZ)

/* Jumps up to so many pages are near. */
#define NEAR		64

/*
 * Progress of a reader is the distance it goes, in pages, because that is the
 * same whatever the window: a stream's pages, a stride's gaps, and for a jump
 * into the blue FAR pages.
 */
#define FAR		MAX_WINDOW

/*
 * What windows have cost a file is remembered by class: of 1 page, of up to 2, 4
 * and so on, and the last of all that are wider. Costs of two episodes in a row
 * that differ from what the class has cost before by more than CHANGED say that
 * the reader or its device has changed: the other classes are forgotten then. One
 * alone is an accident that says nothing of windows: a processor was taken away,
 * or khugepaged came and read whole huge pages. A class that was not used for
 * NEVER episodes is forgotten, too.
 */
#define CLASSES		8
#define CHANGED		(2 * LOG)
#define NEVER		250

/* Windows up to so many pages are narrow. */
#define NARROW		2

/* Fractions are in units of 1/256, logarithms in units of 1/16. */
#define SHARE		256
#define LOG		16
#define LOG_MAX		(64 * LOG)

/*
 * Features of an episode. LOG2(x) is ml_ra_log2(x), SHARE(x) is the number of
 * events with property x, per event.
 *
 * How many pages of a window a mapping uses is not seen: records of eight pages
 * and of one look the same through windows of sixteen, and so do a disk of few
 * requests per second and one of little bandwidth. What another window would
 * cost is known once it has been tried, so what was seen then is remembered.
 */
struct ml_ra_features {
	u16 events;		/* LOG2(events) */
	u16 miss;		/* SHARE(read() missed the page cache) */
	u16 mapped;		/* SHARE(came through a mapping) */
	u16 sequential;		/* SHARE(went on where the last one ended) */
	u16 backward;		/* SHARE(jump to a lower index) */
	u16 near;		/* SHARE(jump of up to NEAR pages) */
	u16 thrash;		/* SHARE(page was read ahead, but is gone) */
	u16 stride;		/* SHARE(jump as far as the last jump) */
	u16 jump;		/* mean of LOG2(pages jumped over + 1) */
	u16 request;		/* mean of LOG2(pages requested) */
	u16 run;		/* LOG2(pages consumed / (jumps + 1)) */
	u16 window;		/* LOG2(limit of the window in force, pages) */
	u16 ra_pages;		/* LOG2(default limit of the window, pages) */
	s16 waste;		/* LOG2(pages read / pages consumed) */
	u16 interval;		/* LOG2(ns / event) */
	u16 page_time;		/* LOG2(ns / page of progress) */
	u16 read_time;		/* LOG2(ns / page read) */
	u16 file_pages;		/* LOG2(file size, pages) */
	u16 dev_rate;		/* LOG2(pages read / s) from the device, now */
	u16 dev_rate_max;	/* and at its best lately */
	u16 dev_events;		/* LOG2(events / s) on the device, now */
	u16 dev_events_max;	/* and at its best lately */
	u16 narrow_run;		/* run when the window was last narrow, or 0 */
	u16 episodes;		/* LOG2(episodes of the file so far, not plain) */
	/* LOG2(page_time with windows of the class / page_time), or LOG_MAX */
	s16 cost[CLASSES];
};

#define F_SHARE(_member) \
	ML_FEATURE(struct ml_ra_features, _member, ML_LIB_U16, "share", \
		   SHARE, 0, SHARE)
#define F_RATIO(_member) \
	ML_FEATURE(struct ml_ra_features, _member, ML_LIB_S16, "log2", \
		   LOG, -LOG_MAX, LOG_MAX)
#define F_LOG(_member, _unit) \
	ML_FEATURE(struct ml_ra_features, _member, ML_LIB_U16, _unit, \
		   LOG, 0, LOG_MAX)

static const struct ml_lib_field ml_ra_feature_fields[] = {
	F_LOG(events, "log2"),
	F_SHARE(miss),
	F_SHARE(mapped),
	F_SHARE(sequential),
	F_SHARE(backward),
	F_SHARE(near),
	F_SHARE(thrash),
	F_SHARE(stride),
	F_LOG(jump, "log2 pages"),
	F_LOG(request, "log2 pages"),
	F_LOG(run, "log2 pages"),
	F_LOG(window, "log2 pages"),
	F_LOG(ra_pages, "log2 pages"),
	F_RATIO(waste),
	F_LOG(interval, "log2 ns"),
	F_LOG(page_time, "log2 ns/page"),
	F_LOG(read_time, "log2 ns/page"),
	F_LOG(file_pages, "log2 pages"),
	F_LOG(dev_rate, "log2 pages/s"),
	F_LOG(dev_rate_max, "log2 pages/s"),
	F_LOG(dev_events, "log2 1/s"),
	F_LOG(dev_events_max, "log2 1/s"),
	F_LOG(narrow_run, "log2 pages"),
	F_LOG(episodes, "log2"),
	F_RATIO(cost[0]),
	F_RATIO(cost[1]),
	F_RATIO(cost[2]),
	F_RATIO(cost[3]),
	F_RATIO(cost[4]),
	F_RATIO(cost[5]),
	F_RATIO(cost[6]),
	F_RATIO(cost[7]),
};

static const struct ml_lib_field ml_ra_output_fields[] = {
	ML_OUTPUT(0, "window", "pages", 1, 1, MAX_WINDOW),
};

static const struct ml_schema ml_ra_schema = {
	.features = ml_ra_feature_fields,
	.nr_features = ARRAY_SIZE(ml_ra_feature_fields),
	.feature_bytes = sizeof(struct ml_ra_features),
	.outputs = ml_ra_output_fields,
	.nr_outputs = ARRAY_SIZE(ml_ra_output_fields),
};

struct ml_proxy ml_ra_proxy = {
	.name = "mm/readahead",
	.schema = &ml_ra_schema,
	.nr_objects = SLOTS,
	.rate = 2000,
	.deadline_us = 100 * USEC_PER_MSEC,
	.ttl_ms = 3000,
};

/**
 * struct ml_ra_entry - what is known of a file
 * @id: random, names the file in records
 * @cookie: of the request whose advice is in force, or 0
 * @begin_ns: begin of the episode
 * @begin: begin of the episode, jiffies
 * @asked: last request, jiffies
 * @patience: the next one, while nothing changes, is so many jiffies later
 * @last: last event, jiffies
 * @index: where the last event was
 * @req_count: pages it wanted
 * @start: ra->start before the last event acted
 * @size: ra->size before the last event acted
 * @event: what the last event was
 * @mapped: the next mark was reached through a mapping; set without the lock
 * @advised: the last event had advice
 * @plain: the episode is plain, like the one before, as far as it is known
 * @raised: a window has been advised that is wider than the default limit
 * @odd: the cost of the last episode was an accident, unless the next differs, too
 * @window: limit of the window that was in force
 * @before: the same of the episode before, or 0
 * @delta: distance of the last jump
 * @narrow_run: run of the last episode with a narrow window, as the feature
 * @episodes: how many there were that were not plain
 * @cost: page_time of episodes with a window of the class
 * @age: episodes since the last of them, NEVER if there was none
 * @sum: of the episode
 */
struct ml_ra_entry {
	u64 id;
	u64 cookie;
	u64 begin_ns;
	u32 begin;
	u32 asked;
	u32 patience;
	u32 last;
	pgoff_t index;
	pgoff_t start;
	long delta;
	u32 req_count;
	u32 size;
	u8 event;
	bool mapped;
	bool advised;
	bool plain;
	bool raised;
	bool odd;
	u16 window;
	u16 before;
	u16 narrow_run;
	u16 episodes;
	u16 cost[CLASSES];
	u8 age[CLASSES];
	struct {
		u32 progress;
		u32 consumed;
		u32 read;
		u32 jump;
		u32 request;
		u32 used;
		u16 events;
		u16 unsure;
		u16 miss;
		u16 mapped;
		u16 sequential;
		u16 backward;
		u16 near;
		u16 thrash;
		u16 stride;
		u16 advised;
	} sum;
};

/* What the advised files together get out of a device. */
struct ml_ra_dev {
	spinlock_t lock;	/* of writes to all below; only ever tried */
	u64 id;			/* of the backing_dev_info, never used twice */
	u64 begin_ns;
	u64 last_ns;
	u32 pages;
	u32 events;
	/* Logarithms in units of 1/256, so that averages do not get stuck. */
	s32 rate, rate_max;
	s32 event_rate, event_rate_max;
};

struct ml_ra_table {
	spinlock_t lock[LOCKS];		/* of keys and entries; see above */
	unsigned long key[SETS][WAYS];
	struct ml_ra_entry entry[SLOTS];
	struct ml_ra_dev dev[DEVS];
};

static struct ml_ra_table *ml_ra_table;

static void ml_ra_alloc(struct work_struct *work)
{
	struct ml_ra_table *t;

	/* Events that came before the table was there have queued this again. */
	if (ml_ra_table)
		return;
	t = kvzalloc(sizeof(*t), GFP_KERNEL);
	if (!t)
		return;
	for (int i = 0; i < LOCKS; i++)
		spin_lock_init(&t->lock[i]);
	for (int i = 0; i < ARRAY_SIZE(t->dev); i++)
		spin_lock_init(&t->dev[i].lock);
	/* Pairs with the acquire in ml_ra_get_table(). */
	smp_store_release(&ml_ra_table, t);
}

static DECLARE_WORK(ml_ra_alloc_work, ml_ra_alloc);

/* Never turned off: windows that are too wide outlive the agent and the cap. */
DEFINE_STATIC_KEY_FALSE(ml_ra_raised);

static void ml_ra_raise(struct work_struct *work)
{
	static_branch_enable(&ml_ra_raised);
}

static DECLARE_WORK(ml_ra_raise_work, ml_ra_raise);

static struct ml_ra_table *ml_ra_get_table(void)
{
	/* Pairs with the release in ml_ra_alloc(). */
	return smp_load_acquire(&ml_ra_table);
}

static u32 ml_ra_set(const struct file_ra_state *ra)
{
	return hash_ptr(ra, ilog2(SETS));
}

static spinlock_t *ml_ra_lock(struct ml_ra_table *t, u32 set)
{
	return &t->lock[set % LOCKS];
}

/* Returns a slot, or -1. With or without the lock. */
static int ml_ra_find(struct ml_ra_table *t, u32 set,
		      const struct file_ra_state *ra)
{
	const unsigned long *key = t->key[set];

	for (u32 way = 0; way < WAYS; way++)
		/* Pairs with the release in ml_ra_new(). */
		if (smp_load_acquire(&key[way]) == (unsigned long)ra)
			return set * WAYS + way;
	return -1;
}

/* log2(x) in units of 1/16, linear between powers of two, for 0 < x < 2^60. */
static __always_inline u16 __ml_ra_log2(u64 x)
{
	u32 n = ilog2(x);

	/* The second term is from LOG to 2 * LOG - 1. */
	return n * LOG + (x * LOG >> n) - LOG;
}

/* The same, and 0 for 0; where it does not come with each event. */
static u16 ml_ra_log2(u64 x)
{
	return x ? __ml_ra_log2(x) : 0;
}

/* log2(x / y), and not less than 0. */
static u16 ml_ra_log2_ratio(u64 x, u64 y)
{
	return max(ml_ra_log2(x) - ml_ra_log2(y), 0);
}

static void ml_ra_dev_rate(s32 *now, s32 *best, u32 count, u64 ns)
{
	s32 log = ml_ra_log2(count) + ml_ra_log2(NSEC_PER_SEC) - ml_ra_log2(ns);

	log = max(log, 0) * 16;
	WRITE_ONCE(*now, *now ? *now + (log - *now) / 4 : log);
	/* Halves in 26 s. */
	WRITE_ONCE(*best, max(log, *best - 1));
}

/* Only events come here, and they have seen the table. */
static struct ml_ra_dev *ml_ra_dev(u64 id)
{
	return &ml_ra_get_table()->dev[hash_64(id, ilog2(DEVS))];
}

/* Add an episode to its device. */
static void ml_ra_dev_add(u64 now, const struct ml_ra_entry *e,
			  struct readahead_control *ractl)
{
	u64 id = inode_to_bdi(ractl->mapping->host)->id;
	struct ml_ra_dev *d = ml_ra_dev(id);

	if (!spin_trylock(&d->lock))
		return;
	/* Others may have been here since. */
	now = max(now, d->last_ns);
	if (d->id != id) {
		if (d->id && now - d->last_ns < NSEC_PER_SEC)
			goto out;
		d->last_ns = 0;
		WRITE_ONCE(d->rate, 0);
		WRITE_ONCE(d->rate_max, 0);
		WRITE_ONCE(d->event_rate, 0);
		WRITE_ONCE(d->event_rate_max, 0);
		WRITE_ONCE(d->id, id);
	}
	/* What the device could do is not seen while it has nothing to do. */
	if (now - d->last_ns >= 200 * NSEC_PER_MSEC) {
		d->begin_ns = e->begin_ns;
		d->pages = 0;
		d->events = 0;
	}
	d->last_ns = now;
	d->pages += e->sum.read;
	d->events += e->sum.events;
	if (now - d->begin_ns >= 100 * NSEC_PER_MSEC) {
		ml_ra_dev_rate(&d->rate, &d->rate_max, d->pages,
			       now - d->begin_ns);
		ml_ra_dev_rate(&d->event_rate, &d->event_rate_max, d->events,
			       now - d->begin_ns);
		d->begin_ns = now;
		d->pages = 0;
		d->events = 0;
	}
out:
	spin_unlock(&d->lock);
}

/* Without the lock, whoever adds to the device meanwhile. */
static void ml_ra_dev_features(struct readahead_control *ractl,
			       struct ml_ra_features *f)
{
	u64 id = inode_to_bdi(ractl->mapping->host)->id;
	const struct ml_ra_dev *d = ml_ra_dev(id);

	if (READ_ONCE(d->id) != id)
		return;
	f->dev_rate = READ_ONCE(d->rate) / 16;
	f->dev_rate_max = READ_ONCE(d->rate_max) / 16;
	f->dev_events = READ_ONCE(d->event_rate) / 16;
	f->dev_events_max = READ_ONCE(d->event_rate_max) / 16;
}

static int ml_ra_class(u16 window)
{
	return min(order_base_2(window), CLASSES - 1);
}

/* Did an episode cost something else than its window has cost before? */
static bool ml_ra_differs(const struct ml_ra_entry *e, int page_time)
{
	int class = ml_ra_class(e->window);

	return e->age[class] < NEVER &&
	       abs(page_time - e->cost[class]) > CHANGED;
}

/* Remember what an episode cost, and give what is known of other windows. */
static void ml_ra_costs(struct ml_ra_entry *e, bool changed,
			struct ml_ra_features *f)
{
	int class = ml_ra_class(e->window);
	int now = f->page_time;

	for (int i = 0; i < CLASSES; i++)
		e->age[i] = changed ? NEVER : min(e->age[i] + 1, NEVER);
	if (e->age[class] < NEVER)
		e->cost[class] = (e->cost[class] + now) / 2;
	else
		e->cost[class] = now;
	e->age[class] = 0;
	if (e->window <= NARROW)
		e->narrow_run = f->run;
	e->episodes = min(e->episodes + 1, U16_MAX);

	f->narrow_run = e->narrow_run;
	f->episodes = ml_ra_log2(e->episodes);
	for (int i = 0; i < CLASSES; i++)
		f->cost[i] = e->age[i] < NEVER ? e->cost[i] - now : LOG_MAX;
}

static u64 ml_ra_file_pages(struct readahead_control *ractl)
{
	return DIV_ROUND_UP_ULL(i_size_read(ractl->mapping->host), PAGE_SIZE);
}

static void ml_ra_begin(struct ml_ra_entry *e, u64 now_ns, u32 now)
{
	memset(&e->sum, 0, sizeof(e->sum));
	e->begin_ns = now_ns;
	e->begin = now;
}

/*
 * Ask for advice for the episode that begins now. A file whose window and cost
 * did not change need not ask after each episode.
 */
static void ml_ra_ask(u32 slot, struct ml_ra_entry *e,
		      struct readahead_control *ractl, u64 ns)
{
	u64 file_pages = ml_ra_file_pages(ractl);
	u32 n = e->sum.events, jumps = n - e->sum.sequential;
	u32 consumed = max(e->sum.consumed, 1);
	bool changed, moved = e->window != e->before;
	struct ml_ra_features f = {};

	f.events = ml_ra_log2(n);
	f.miss = e->sum.miss * SHARE / n;
	f.mapped = e->sum.mapped * SHARE / n;
	f.sequential = e->sum.sequential * SHARE / n;
	f.backward = e->sum.backward * SHARE / n;
	f.near = e->sum.near * SHARE / n;
	f.thrash = e->sum.thrash * SHARE / n;
	f.stride = e->sum.stride * SHARE / n;
	f.jump = jumps ? e->sum.jump / jumps : 0;
	f.request = e->sum.request / n;
	f.run = ml_ra_log2_ratio(consumed, jumps + 1);
	f.window = ml_ra_log2(e->window);
	f.ra_pages = ml_ra_log2(ractl->ra->ra_pages);
	f.waste = ml_ra_log2(e->sum.read) - ml_ra_log2(consumed);
	f.interval = ml_ra_log2_ratio(ns, n);
	f.page_time = ml_ra_log2_ratio(ns, max(e->sum.progress, 1));
	f.read_time = ml_ra_log2_ratio(ns, e->sum.read);
	f.file_pages = ml_ra_log2(file_pages);
	ml_ra_dev_features(ractl, &f);

	changed = ml_ra_differs(e, f.page_time);
	if (moved)
		e->patience = 0;
	if (changed && !e->odd) {
		e->odd = true;
		return;
	}
	e->odd = false;
	ml_ra_costs(e, changed, &f);
	if (changed)
		e->patience = 0;
	else if (!moved && !e->sum.used)
		e->patience = SELDOM;
	if (e->last - e->asked >= e->patience) {
		e->cookie = ml_submit(&ml_ra_proxy, slot, e->id, &f);
		e->asked = e->last;
		e->patience = clamp(2 * e->patience, STEADY, SELDOM);
	}
}

/*
 * End an episode: report what it cost to whom was asked about it, and ask about
 * the next one. The time of a plain one is no cost of any window, so it is not
 * remembered as one, and nobody is asked.
 */
static noinline void ml_ra_end(u32 slot, struct ml_ra_entry *e,
			       struct readahead_control *ractl)
{
	u64 now = ktime_get_ns(), ns = now - e->begin_ns;

	ml_ra_dev_add(now, e, ractl);
	if (e->cookie) {
		struct ml_lib_feedback fb = {
			.cost = ns,
			.units = max(e->sum.progress, 1),
			.extra = e->sum.read,
			.applied[0] = e->window,
			.arm = e->sum.advised * 2 > e->sum.events ?
			       ML_LIB_ARM_MODEL : ML_LIB_ARM_DEFAULT,
		};

		ml_report(&ml_ra_proxy, e->cookie, e->id, &fb);
		e->cookie = 0;
	}
	/* A plain episode has no features, and is ended by ml_ra_plain(). */
	if (e->sum.used * PLAIN <= e->sum.read &&
	    e->sum.unsure * PLAIN <= e->sum.events)
		e->plain = true;
	if (!e->plain)
		ml_ra_ask(slot, e, ractl, ns);
	e->before = e->window;
	ml_ra_begin(e, now, e->last);
}

/*
 * A decision comes when the episode it was asked for has begun. That begins anew
 * then, so that its cost is of one window.
 */
static noinline void ml_ra_cut(struct ml_ra_entry *e,
			       struct readahead_control *ractl)
{
	u64 now = ktime_get_ns();

	ml_ra_dev_add(now, e, ractl);
	ml_ra_begin(e, now, e->last);
}

/* Did the last event change the window? What it did is seen only now. */
static bool ml_ra_windowed(const struct ml_ra_entry *e,
			   const struct file_ra_state *ra)
{
	return ra->start != e->start || ra->size != e->size;
}

/*
 * Might it have used one, with another limit? How many pages are cached before a
 * miss is looked up to the limit only, and has to be more than are requested.
 */
static bool ml_ra_unsure(const struct ml_ra_entry *e,
			 const struct file_ra_state *ra)
{
	return e->req_count + 1 >= min(e->window, ra->ra_pages);
}

/*
 * Count an event, and what the last one read and how much of that was consumed:
 * ra->start and ra->size are as it left them.
 */
static void ml_ra_count(struct ml_ra_entry *e,
			struct readahead_control *ractl,
			enum ml_ra_event event, bool mapped, u32 req_count)
{
	const struct file_ra_state *ra = ractl->ra;
	pgoff_t index = readahead_index(ractl), last = e->index, start = last;
	/*
	 * What was read, and how much of it is ahead of where that event was.
	 * Without a window it is what was asked for, also at the file's end.
	 */
	u32 read = e->event == ML_RA_MARK ? 0 : e->req_count;
	pgoff_t ahead = read;
	long delta = index - last;

	/* Far away it is another's: of mapped code, or of an event not counted. */
	if (ml_ra_windowed(e, ra) && abs_diff((u64)ra->start, (u64)last) <=
			(u64)e->size + e->window + e->req_count) {
		u64 reach;

		start = ra->start;	/* once: others may change it */
		reach = min((u64)start + ra->size,
			    max(ml_ra_file_pages(ractl), (u64)start));
		read = reach - start;
		ahead = reach > last ? reach - last : 0;
		e->sum.used += max(read, 1);
		/* Read ahead, not reached by a mark, and no longer there. */
		if (event != ML_RA_MARK && index < reach &&
		    index >= min(start, last))
			e->sum.thrash++;
	} else if (e->event != ML_RA_MISS) {
		/* A fault that read nothing ahead would have, with advice. */
		e->sum.used += max(read, 1);
	} else {
		e->sum.unsure += ml_ra_unsure(e, ra);
	}
	e->sum.events++;
	e->sum.miss += event == ML_RA_MISS;
	e->sum.mapped += mapped;
	e->sum.advised += e->advised;
	e->sum.read += read;
	/* Most requests are for one page, and log2(1) is 0. */
	if (req_count > 1)
		e->sum.request += __ml_ra_log2(req_count);

	/*
	 * In unsigned numbers backward is farther than anything ahead (but from
	 * end to end of 16 TiB on 32 bits), and b - a - 1 < n is a < b <= a + n.
	 */
	if ((pgoff_t)delta <= ahead + 1) {
		e->sum.sequential++;
		e->sum.consumed += delta;
		e->sum.progress += delta;
	} else {
		unsigned long far = abs(delta);
		pgoff_t pos = DIV_ROUND_UP((u64)ra->prev_pos, PAGE_SIZE);

		e->sum.backward += delta < 0;
		e->sum.near += far <= NEAR;
		e->sum.stride += delta == e->delta;
		e->sum.jump += __ml_ra_log2(far + 1);
		e->sum.progress += min(far, FAR);
		e->delta = delta;
		/*
		 * read() tells how far it got before the jump, and backward
		 * through a mapping all of the window's first half was used.
		 */
		if (!mapped && pos - last - 1 < ahead)
			e->sum.consumed += pos - last;
		else if (start - index - 1 < req_count)
			e->sum.consumed += last > index ? last - index : 1;
		else
			e->sum.consumed += e->req_count;
	}
}

/*
 * Count an event in a plain episode: what the device wants to know. Returns false
 * if it is plain no more. That a page or two were cached before a random read is
 * no stream yet; it is one if the window's mark is reached, or with large windows.
 */
static bool ml_ra_plain(struct ml_ra_entry *e, const struct file_ra_state *ra)
{
	bool windowed = ml_ra_windowed(e, ra);
	u32 read = windowed ? ra->size : e->req_count;

	e->sum.events++;
	e->sum.read += read;
	if (windowed)
		e->sum.used += read;
	return e->event == ML_RA_MISS && !ml_ra_unsure(e, ra) &&
	       e->sum.used * PLAIN <= max(e->sum.read, LONG);
}

/* The slot of a set that is free, or else idle for longest; -1 if none is. */
static int ml_ra_victim(struct ml_ra_table *t, u32 set, u32 now)
{
	u32 most = PAUSE - 1;
	int victim = -1;

	for (int slot = set * WAYS; slot < (set + 1) * WAYS; slot++) {
		u32 idle = now - t->entry[slot].last;

		if (!t->key[set][slot % WAYS])
			return slot;
		if (idle > most) {
			most = idle;
			victim = slot;
		}
	}
	return victim;
}

/* Begin an entry for a file, in place of what was there. Under the lock. */
static noinline void ml_ra_new(struct ml_ra_table *t, u32 set,
			       const struct file_ra_state *ra, int slot,
			       bool raised, u32 now)
{
	struct ml_ra_entry *e = &t->entry[slot];

	WRITE_ONCE(t->key[set][slot % WAYS], 0);
	ml_advice_reset(&ml_ra_proxy, slot);
	memset(e, 0, sizeof(*e));
	e->id = get_random_u64();
	/* A stream may be slow, and keep its window for all that. */
	e->raised = raised;
	memset(e->age, NEVER, sizeof(e->age));
	/* An episode begins with the first event and counts from the second. */
	e->last = now - PAUSE;
	/* Pairs with the acquire in ml_ra_find(). */
	smp_store_release(&t->key[set][slot % WAYS], (unsigned long)ra);
}

/*
 * Find the entry of a file, or begin one. Under the lock. Returns its slot, or -1
 * if all that the file can have are in use.
 */
static int ml_ra_get(struct ml_ra_table *t, u32 set,
		     const struct file_ra_state *ra, u32 now)
{
	int slot = ml_ra_find(t, set, ra);
	bool raised = false;

	if (slot >= 0) {
		if (now - t->entry[slot].last < ENTRY_LIFE)
			return slot;
		/* One of its own that has outlived itself. */
		raised = READ_ONCE(t->entry[slot].raised);
	} else {
		slot = ml_ra_victim(t, set, now);
		if (slot < 0)
			return slot;
	}
	ml_ra_new(t, set, ra, slot, raised, now);
	return slot;
}

static bool ml_ra_over(const struct ml_ra_entry *e)
{
	/* FAST <= SLOW, and SHORT, FIRST and LONG are less than MOST. */
	u32 n = e->sum.events, age = e->last - e->begin;

	if (age < FAST)
		return n >= MOST;
	return n >= (e->before ? LONG : FIRST) || (n >= SHORT && age >= SLOW);
}

/* Advice for a slot, within what is allowed; without it @window stays. */
static bool ml_ra_advice(u32 slot, const struct file_ra_state *ra, u32 *window)
{
	u32 most = ra->ra_pages;
	s32 out;

	if (!ml_advice_read(&ml_ra_proxy, slot, &out))
		return false;
	if (out > most)
		most = max_t(u32, most, ml_proxy_cap(&ml_ra_proxy, 0));
	*window = min_t(u32, out, most);
	return true;
}

/*
 * Begin anew with an event that comes after a pause. Like all that does not come
 * with each event it is not inline, which leaves registers to what does.
 */
static noinline void ml_ra_resume(struct ml_ra_entry *e, u32 now)
{
	e->cookie = 0;
	e->before = 0;
	e->plain = false;
	e->odd = false;
	e->last = now;
	ml_ra_begin(e, ktime_get_ns(), now);
}

/* Note an event in its entry. Under the lock. Returns true if there is advice. */
static bool ml_ra_note(u32 slot, struct ml_ra_entry *e,
		       struct readahead_control *ractl,
		       enum ml_ra_event event, u32 req_count, bool mapped,
		       u32 now, u32 *window)
{
	const struct file_ra_state *ra = ractl->ra;
	u32 limit;

	if (now - e->last >= PAUSE) {
		ml_ra_resume(e, now);
	} else {
		bool anew = e->plain && !ml_ra_plain(e, ra);

		e->last = now;
		if (!e->plain)
			ml_ra_count(e, ractl, event, mapped, req_count);
		if (anew || ml_ra_over(e))
			ml_ra_end(slot, e, ractl);
		if (anew) {
			e->plain = false;
			e->odd = false;
			e->before = 0;
		}
	}
	/* No window has a part in a miss of a plain episode: look nothing up. */
	e->advised = !(e->plain && event == ML_RA_MISS) &&
		     ml_ra_advice(slot, ra, window);
	if (e->advised && *window > ra->ra_pages) {
		WRITE_ONCE(e->raised, true);
		if (!static_key_enabled(&ml_ra_raised))
			schedule_work(&ml_ra_raise_work);
	}
	limit = min_t(u32, *window, U16_MAX);
	if (limit != e->window && e->sum.events && !e->plain)
		ml_ra_cut(e, ractl);
	e->window = limit;
	e->event = event;
	e->index = readahead_index(ractl);
	e->req_count = req_count;
	e->start = ra->start;
	e->size = ra->size;
	return e->advised;
}

/*
 * Has the mark been reached through a mapping? Where nothing was read for it, the
 * next miss or fault drops what it has left.
 */
static bool ml_ra_was_mapped(struct ml_ra_entry *e, enum ml_ra_event event)
{
	if (!READ_ONCE(e->mapped))
		return false;
	WRITE_ONCE(e->mapped, false);
	return event == ML_RA_MARK;
}

bool __ml_ra_window(struct readahead_control *ractl,
		    enum ml_ra_event event, unsigned long req_count,
		    unsigned long *window)
{
	const struct file_ra_state *ra = ractl->ra;
	struct ml_ra_table *t = ml_ra_get_table();
	bool mapped = event == ML_RA_FAULT, advised = false;
	/* A large read() gets more than the file's limit, whatever that is. */
	u32 set, pages = min_t(unsigned long, *window, ra->ra_pages);
	/* Sums are of 32 bits; readahead of 65536 pages at once there is not. */
	u32 wanted = min(req_count, U16_MAX);
	int slot;

	/*
	 * Most readahead on behalf of the kernel has no file, or a state of its
	 * own. The rest, as that of khugepaged, is taken for the reader's.
	 */
	if (!ractl->file || ra != &ractl->file->f_ra ||
	    (ractl->file->f_mode & FMODE_RANDOM))
		return false;
	if (unlikely(!t)) {
		schedule_work(&ml_ra_alloc_work);
		ml_no_object(&ml_ra_proxy);
		return false;
	}

	set = ml_ra_set(ra);
	if (spin_trylock(ml_ra_lock(t, set))) {
		u32 now = jiffies;	/* not before e->last of others */

		slot = ml_ra_get(t, set, ra, now);
		if (slot >= 0) {
			struct ml_ra_entry *e = &t->entry[slot];

			/* Or its address is worked out again at each use. */
			OPTIMIZER_HIDE_VAR(e);
			mapped |= ml_ra_was_mapped(e, event);
			/* Behind a mark in a mapping, one page is known to be wanted. */
			if (mapped)
				wanted = 1;
			advised = ml_ra_note(slot, e, ractl, event, wanted,
					     mapped, now, &pages);
		}
		spin_unlock(ml_ra_lock(t, set));
	} else {
		slot = ml_ra_find(t, set, ra);
		if (slot >= 0) {
			if (ml_ra_was_mapped(&t->entry[slot], event))
				wanted = 1;
			advised = ml_ra_advice(slot, ra, &pages);
		}
	}

	if (slot < 0)
		ml_no_object(&ml_ra_proxy);
	/* No less than the request itself would have got. */
	if (advised)
		*window = max(pages, min(wanted, *window));
	return advised;
}

/*
 * Without the lock. What is missed, by a race or because the entry is gone, leaves
 * one stream with its window.
 */
bool __ml_ra_outlived(const struct file_ra_state *ra)
{
	struct ml_ra_table *t = ml_ra_get_table();
	int slot = t ? ml_ra_find(t, ml_ra_set(ra), ra) : -1;

	if (slot < 0 || !READ_ONCE(t->entry[slot].raised))
		return false;
	WRITE_ONCE(t->entry[slot].raised, false);
	return true;
}

void __ml_ra_mapped(const struct vm_area_struct *vma,
		    const struct file_ra_state *ra)
{
	struct ml_ra_table *t = ml_ra_get_table();
	int slot;

	if (vma->vm_flags & (VM_SEQ_READ | VM_HUGEPAGE | VM_EXEC)) {
		__ml_ra_forget(ra);
		return;
	}
	slot = t ? ml_ra_find(t, ml_ra_set(ra), ra) : -1;
	if (slot >= 0)
		WRITE_ONCE(t->entry[slot].mapped, true);
}

static noinline void ml_ra_drop(struct ml_ra_table *t, u32 set,
				const struct file_ra_state *ra)
{
	int slot;

	spin_lock(ml_ra_lock(t, set));
	slot = ml_ra_find(t, set, ra);
	if (slot >= 0) {
		WRITE_ONCE(t->key[set][slot % WAYS], 0);
		ml_advice_reset(&ml_ra_proxy, slot);
	}
	spin_unlock(ml_ra_lock(t, set));
}

/*
 * Every open() comes here, and hardly any file has an entry: no more than four
 * loads and no stack frame for those that have none.
 */
void __ml_ra_forget(const struct file_ra_state *ra)
{
	struct ml_ra_table *t = ml_ra_get_table();
	u32 set = ml_ra_set(ra);
	const unsigned long *key;

	BUILD_BUG_ON(WAYS != 4);
	if (!t)
		return;
	key = t->key[set];
	if (READ_ONCE(key[0]) == (unsigned long)ra ||
	    READ_ONCE(key[1]) == (unsigned long)ra ||
	    READ_ONCE(key[2]) == (unsigned long)ra ||
	    READ_ONCE(key[3]) == (unsigned long)ra)
		ml_ra_drop(t, set, ra);
}

static int __init ml_ra_init(void)
{
	BUILD_BUG_ON(sizeof(struct ml_ra_features) % 8);
	return ml_proxy_register(&ml_ra_proxy);
}
late_initcall(ml_ra_init);
