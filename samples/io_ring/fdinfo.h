/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
#ifndef FDINFO_H
#define FDINFO_H

/*
 * Prints " ring_key=value" for each line "io_ring-key: value" that the kernel shows
 * about the ring @fd. Returns how many, or a negative errno value.
 */
int fdinfo_print(int fd);

#endif /* FDINFO_H */
