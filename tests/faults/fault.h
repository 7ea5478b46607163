/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One failure at a time: the n-th allocation, or copy from or to this program's memory,
 * that the kernel does for the calling thread (Documentation/fault-injection).
 */
#ifndef FAULTS_FAULT_H
#define FAULTS_FAULT_H

#include <stdbool.h>

/* To be called first, once a thread. The result is -errno. */
int fault_open(void);
void fault_close(void);

/* Lets the n-th attempt fail, counted from here. */
bool fault_plan(unsigned int n);

/* No failure is planned any more. Whether there was one since fault_plan(). */
bool fault_came(void);

#endif
