/* SPDX-License-Identifier: LGPL-2.1-or-later OR MIT */
/* Exit statuses of the programs. */
#ifndef STATUS_H
#define STATUS_H

enum {
	STATUS_OK	= 0,
	STATUS_FAILED	= 1,
	STATUS_USAGE	= 2,
};

#endif /* STATUS_H */
