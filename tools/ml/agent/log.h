/* SPDX-License-Identifier: GPL-2.0 */
/* Messages go to stderr, where a service manager or a terminal collects them. */
#ifndef _ML_LOG_H
#define _ML_LOG_H

#include <stdbool.h>

extern bool log_quiet;

/* What happens in the normal course; --quiet silences it. */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* What the operator should know. */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* _ML_LOG_H */
