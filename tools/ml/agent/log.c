// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>

#include "log.h"

bool log_quiet;

static void line(const char *fmt, va_list ap)
{
	char text[1024];

	/* One write per line, so that lines of several programs do not mix. */
	vsnprintf(text, sizeof(text), fmt, ap);
	fprintf(stderr, "ml-agent: %s\n", text);
}

void note(const char *fmt, ...)
{
	va_list ap;

	if (log_quiet)
		return;
	va_start(ap, fmt);
	line(fmt, ap);
	va_end(ap);
}

void warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	line(fmt, ap);
	va_end(ap);
}
