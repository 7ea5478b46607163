/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/*
 * The system calls that the library makes. They are an object of their own so
 * that the unit tests can link a device that lives in the process instead.
 *
 * All but the last two return a negative errno value on failure.
 */
#ifndef IORING_DEVICE_H
#define IORING_DEVICE_H

#include <stddef.h>

#include <linux/io_ring.h>

#define IORING_DEVICE_PATH	"/dev/io_ring"

int ioring_device_open(void);
int ioring_device_query(int fd, struct io_ring_query *query);
int ioring_device_setup(int fd, struct io_ring_setup *setup);
int ioring_device_enter(int fd, struct io_ring_enter *enter);
int ioring_device_register(int fd, struct io_ring_register *arg);
int ioring_device_map(int fd, size_t size, void **region);
void ioring_device_unmap(void *region, size_t size);
void ioring_device_close(int fd);

#endif /* IORING_DEVICE_H */
