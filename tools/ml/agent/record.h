/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recording: what was asked, decided and what it cost, for training.
 *
 * PREFIX-requests.npy, PREFIX-decisions.npy and PREFIX-feedback.npy are NumPy
 * structured arrays; the cookie joins them. PREFIX.json describes them.
 */
#ifndef _ML_RECORD_H
#define _ML_RECORD_H

#include "loop.h"
#include "model.h"

/**
 * record_open() - make the files of a model
 * @loop: does the writes
 * @prefix: path that the names begin with
 * @model: the model
 * @command: command line of the agent, for PREFIX.json
 *
 * Return: the recording, or NULL after a message.
 */
struct record *record_open(struct loop *loop, const char *prefix,
			   const struct model *model, const char *command);

void record_request(struct record *rec, const struct ml_lib_request *req);
void record_decision(struct record *rec, uint64_t cookie, uint64_t time_ns,
		     uint32_t flags, const int32_t *out, float probability,
		     uint32_t model);
/* @req is a feedback record. */
void record_feedback(struct record *rec, const struct ml_lib_request *req);

/* Begin to write what is collected. */
void record_flush(struct record *rec);

/* Return: rows that were dropped. */
uint64_t record_close(struct record *rec);

#endif /* _ML_RECORD_H */
