/* SPDX-License-Identifier: GPL-2.0 */
/* Serving: from the rings to the models and back. */
#ifndef _ML_RUN_H
#define _ML_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "loop.h"
#include "model.h"

/**
 * struct run - what is served, and how
 * @agent: the session, started
 * @loop: to sleep in
 * @model: one per proxy
 * @nr_models: how many
 * @recording: some model records
 * @spin_ns: how long to poll the rings without work before sleeping
 * @kicks: out: times that KICK was called
 * @kick_failed: the last one did, and it was said
 * @sleeps: out: times that the agent slept
 * @foreign: out: records of proxies that have no model, or too short
 */
struct run {
	struct mlagent *agent;
	struct loop *loop;
	struct model *model;
	unsigned int nr_models;
	bool recording;
	uint64_t spin_ns;
	uint64_t kicks;
	bool kick_failed;
	uint64_t sleeps;
	uint64_t foreign;
};

/**
 * run_pass() - decide all that the rings hold, and return
 * @run: what
 *
 * Return: whether there was work.
 */
bool run_pass(struct run *run);

/**
 * run() - serve until told to end
 * @run: what
 *
 * Return: 0 after a signal, -1 after a message if the session is over.
 */
int run(struct run *run);

#endif /* _ML_RUN_H */
