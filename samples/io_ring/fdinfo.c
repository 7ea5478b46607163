// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "fdinfo.h"

#include <errno.h>
#include <stdio.h>

int fdinfo_print(int fd)
{
	char path[64], line[256], key[64], value[128];
	FILE *file;
	int count = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "io_ring-%63[^:]: %127s", key, value) != 2)
			continue;
		printf(" ring_%s=%s", key, value);
		count++;
	}
	fclose(file);
	return count;
}
