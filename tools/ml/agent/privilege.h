/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _ML_PRIVILEGE_H
#define _ML_PRIVILEGE_H

/**
 * privilege_find() - look a user up
 * @user: the name
 *
 * Done early: the answer may need files or sockets that are out of reach later.
 *
 * Return: 0, or -1 after a message.
 */
int privilege_find(const char *user);

/* Become that user for good; returns 0, or -1 after a message. */
int privilege_drop(void);

/* Keep all memory, present and future, from being swapped; warns if refused. */
void privilege_mlock(void);

/* Run on the CPUs of a list like "0-3,8"; returns 0, or -1 after a message. */
int privilege_cpus(const char *list);

#endif /* _ML_PRIVILEGE_H */
