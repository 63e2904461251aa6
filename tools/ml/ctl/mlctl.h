/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _MLCTL_H
#define _MLCTL_H

#include <stdbool.h>

#include "mlagent.h"

/* Return: 0, or a negative errno with mlagent_error() set. */
int show_list(struct mlagent *agent);
int show_schema(struct mlagent *agent, const char *name, bool json);
int show_stats(struct mlagent *agent, const char *name);
int watch_stats(struct mlagent *agent, const char *name, uint32_t sec);

#endif /* _MLCTL_H */
