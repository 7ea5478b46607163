// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

int ioring_device_open(void)
{
	return result(open(IORING_DEVICE_PATH, O_RDWR | O_CLOEXEC));
}

int ioring_device_query(int fd, struct io_ring_query *query)
{
	return result(ioctl(fd, IO_RING_QUERY, query));
}

int ioring_device_setup(int fd, struct io_ring_setup *setup)
{
	return result(ioctl(fd, IO_RING_SETUP, setup));
}

int ioring_device_enter(int fd, struct io_ring_enter *enter)
{
	return result(ioctl(fd, IO_RING_ENTER, enter));
}

int ioring_device_register(int fd, struct io_ring_register *arg)
{
	return result(ioctl(fd, IO_RING_REGISTER, arg));
}

int ioring_device_map(int fd, size_t size, void **region)
{
	*region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, IO_RING_OFF_REGION);
	return *region == MAP_FAILED ? -errno : 0;
}

void ioring_device_unmap(void *region, size_t size)
{
	munmap(region, size);
}

void ioring_device_close(int fd)
{
	close(fd);
}
