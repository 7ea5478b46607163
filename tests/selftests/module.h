/* SPDX-License-Identifier: GPL-2.0-only */
/* What the module shows of itself: parameters, counters, fdinfo. */
#ifndef SELFTESTS_MODULE_H
#define SELFTESTS_MODULE_H

#include <stddef.h>
#include <sys/types.h>

#define PARAM_DISABLED "/sys/module/io_ring/parameters/disabled"
#define PARAM_GROUP "/sys/module/io_ring/parameters/group"
#define PARAM_MAX_WORKERS "/sys/module/io_ring/parameters/max_workers"
#define PARAM_MAX_USER_WORKERS "/sys/module/io_ring/parameters/max_user_workers"

/* Functions that return int give -errno on failure. */

int text_read(const char *path, char *text, size_t size);
int text_write(const char *path, const char *text);

/* The number in a file of sysfs or debugfs. */
long number_read(const char *path);

/* One of the module-wide counters in debugfs. */
long counter(const char *name);

/* Wait until all counters are 0, a few seconds or so long; the name of one that is not, or NULL. */
const char *counters_busy(void);
const char *counters_busy_after(unsigned int limit_ms);

/* Unload the module, without waiting for its users, and load it again. */
int module_unload(void);
int module_load(void);
int module_load_with(const char *parameters);
int module_reload_with(const char *parameters);

/* The value of "io_ring-<key>:" in the fdinfo of a descriptor of this process, or another. */
long fdinfo_value(int fd, const char *key);
long fdinfo_value_of(pid_t pid, int fd, const char *key);

#endif
