/* SPDX-License-Identifier: GPL-2.0 */
/* Where readahead asks for advice. mm/ml_readahead.c explains it. */
#ifndef _MM_ML_READAHEAD_H
#define _MM_ML_READAHEAD_H

#include <linux/fs.h>
#include <linux/mm_types.h>
#include <linux/pagemap.h>

/**
 * enum ml_ra_event - when readahead is asked to act
 * @ML_RA_MISS: a page that is read was not in the page cache
 * @ML_RA_MARK: a page that carries the readahead mark was reached
 * @ML_RA_FAULT: a page that is mapped was not in the page cache
 */
enum ml_ra_event {
	ML_RA_MISS,
	ML_RA_MARK,
	ML_RA_FAULT,
};

#ifdef CONFIG_ML_LIB_READAHEAD

#include <linux/ml_lib.h>

extern struct ml_proxy ml_ra_proxy;
DECLARE_STATIC_KEY_FALSE(ml_ra_raised);

bool __ml_ra_window(struct readahead_control *ractl,
		    enum ml_ra_event event, unsigned long req_count,
		    unsigned long *window);
void __ml_ra_mapped(const struct vm_area_struct *vma,
		    const struct file_ra_state *ra);
void __ml_ra_forget(const struct file_ra_state *ra);
bool __ml_ra_outlived(const struct file_ra_state *ra);

/**
 * ml_ra_window() - note a readahead event and ask how much may be read
 * @ractl: the request; its ->ra is still as the last event left it
 * @event: what happened at readahead_index(@ractl)
 * @req_count: pages that the caller wants now
 * @window: in: the default limit of the window; out: the advised one, if any
 *
 * Context: Process.
 * Return: true if there was advice.
 */
static inline bool ml_ra_window(struct readahead_control *ractl,
				enum ml_ra_event event,
				unsigned long req_count, unsigned long *window)
{
	return ml_proxy_active(&ml_ra_proxy) &&
	       __ml_ra_window(ractl, event, req_count, window);
}

/**
 * ml_ra_mapped() - tell that the next mark was reached through a mapping
 * @vma: the mapping; with advice of its own (madvise) it needs none from us
 * @ra: the file's readahead state
 *
 * Context: Process.
 */
static inline void ml_ra_mapped(const struct vm_area_struct *vma,
				const struct file_ra_state *ra)
{
	if (ml_proxy_active(&ml_ra_proxy))
		__ml_ra_mapped(vma, ra);
}

/**
 * ml_ra_forget() - drop history and advice of a file
 * @ra: its readahead state, of which only the address is used
 *
 * Context: Process.
 */
static inline void ml_ra_forget(const struct file_ra_state *ra)
{
	if (ml_proxy_active(&ml_ra_proxy))
		__ml_ra_forget(ra);
}

/**
 * ml_ra_outlived() - may the window be left from advice that is gone?
 * @ra: the file's readahead state
 *
 * Advice may exceed the default limit if the operator allows it. A stream would
 * keep such a window to its end.
 *
 * Context: Process.
 * Return: true once, at the first mark without advice.
 */
static inline bool ml_ra_outlived(const struct file_ra_state *ra)
{
	return static_branch_unlikely(&ml_ra_raised) && __ml_ra_outlived(ra);
}

#else

static inline bool ml_ra_window(struct readahead_control *ractl,
				enum ml_ra_event event,
				unsigned long req_count, unsigned long *window)
{
	return false;
}

static inline void ml_ra_mapped(const struct vm_area_struct *vma,
				const struct file_ra_state *ra)
{
}

static inline void ml_ra_forget(const struct file_ra_state *ra)
{
}

static inline bool ml_ra_outlived(const struct file_ra_state *ra)
{
	return false;
}

#endif
#endif /* _MM_ML_READAHEAD_H */
