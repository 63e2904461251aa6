/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Going to sleep and being woken, in both directions, as a model for spin(1).
 * lib/ml/ring.h has the protocol, and the letters.
 *
 * Memory is weaker than that of any processor: what a process stores can be
 * overtaken by all that it loads and stores later, until it executes a full
 * barrier or gives a lock back, which both wait for its own stores.
 *
 * Each fault (spin -DFAULT) has to make the assertion at the end fail.
 */
#define REQUESTS	3

/* Words of shared memory, each with one writer. */
#define POS		0	/* kernel: requests published */
#define KICK		1	/* kernel: need_kick */
#define FLAG		2	/* agent: need_wakeup */
#define SEQ		3	/* agent: decisions published */

byte mem[4];			/* what others load */
byte stored[4];			/* what the writer has stored last */
bool pending[4];		/* and whether others cannot see it yet */

bool locked;			/* the queue's lock */
bool agent_woken, waiter_woken;
byte woken;			/* value of need_wakeup that was honoured */
byte taken;			/* requests that the agent has taken */
bool answered;			/* the waiter has seen its decision */

inline store(word, value)
{
	d_step { stored[word] = value; pending[word] = true }
}

inline kernel_barrier()	{ !pending[POS] && !pending[KICK] }
inline agent_barrier()	{ !pending[FLAG] && !pending[SEQ] }
inline lock()		{ atomic { !locked -> locked = true } }
inline unlock()		{ locked = false }

/* Stores become visible in any order, at any time. */
active proctype memory()
{
	do
	:: d_step { pending[POS] -> mem[POS] = stored[POS]; pending[POS] = false }
	:: d_step { pending[KICK] -> mem[KICK] = stored[KICK]; pending[KICK] = false }
	:: d_step { pending[FLAG] -> mem[FLAG] = stored[FLAG]; pending[FLAG] = false }
	:: d_step { pending[SEQ] -> mem[SEQ] = stored[SEQ]; pending[SEQ] = false }
	od
}

/* ml_queue_submit(), and ml_decide() for the last request. */
active proctype kernel()
{
	byte sent, token;

	do
	:: sent < REQUESTS ->
		lock();
		sent++;
		store(POS, sent);
		token = mem[FLAG];
		if
		:: token % 2 && token != woken ->
			woken = token;
			agent_woken = true
		:: else
		fi;
		kernel_barrier();				/* (D) */
		unlock()
	:: else -> break
	od;

	store(KICK, 1);
#ifndef FAULT_WAITER
	kernel_barrier();					/* (C) */
#endif
	do
	:: waiter_woken = false;
		if
		:: mem[SEQ] == REQUESTS -> break
		:: else -> waiter_woken
		fi
	od;
	answered = true
}

/* mlagent_sleep_begin(), poll(), mlagent_sleep_end(); and a decision for each. */
active proctype agent()
{
	byte token, pos;

	do
	:: mem[POS] != taken ->
		taken++;
		store(SEQ, taken);
#ifndef FAULT_AGENT
		agent_barrier();				/* (C) */
#endif
		if
		:: mem[KICK] -> waiter_woken = true
		:: else
		fi
	:: mem[POS] == taken ->
		token = token + 1 - token % 2;
		store(FLAG, token);
		do
		:: agent_woken = false;
#ifdef FAULT_UNLOCKED
			pos = mem[POS];
#else
			lock();
			pos = mem[POS];
#ifndef FAULT_ONCE
			if
			:: pos == taken -> woken = 0
			:: else
			fi;
#endif
			agent_barrier();			/* (D) */
			unlock();
#endif
			if
			:: pos != taken -> break
			:: else -> agent_woken
			fi
		od;
		token++;
		store(FLAG, token)
	od
}

/* When nobody can go on, nobody may have been forgotten. */
active proctype end()
{
	timeout -> assert(taken == REQUESTS && answered)
}
