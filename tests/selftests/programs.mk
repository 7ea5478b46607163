# SPDX-License-Identifier: GPL-2.0-only
#
# Static test programs, KTAP output: $(TESTS), each with all of $(COMMON), from
# this directory or $(SHARED). $(LIST) names them, one a line.

OUT ?= build
KSRC ?=
CC ?= cc
# 32: programs of a 32-bit machine, which 64-bit kernels run as well.
BITS ?=

harness := $(KSRC)/tools/testing/selftests

CPPFLAGS += -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -I../../include/uapi $(SHARED:%=-I%) -isystem $(harness)
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 -Wall -Wextra -Werror -pthread
LDFLAGS += -static
ifneq ($(BITS),)
CPPFLAGS += -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
CFLAGS += -m$(BITS)
endif

headers := $(wildcard *.h $(SHARED:%=%/*.h)) ../../include/uapi/linux/io_ring.h

vpath %.c $(SHARED)

.SECONDARY:
.PHONY: all clean

all: $(OUT)/$(LIST)

$(OUT)/$(LIST): $(TESTS:%=$(OUT)/%) Makefile
	printf '%s\n' $(TESTS) > $@

$(OUT)/%: $(OUT)/%.o $(COMMON:%=$(OUT)/%.o)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^

$(OUT)/%.o: %.c $(headers) | $(OUT) $(harness)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(OUT):
	mkdir -p $@

$(harness):
	$(error KSRC='$(KSRC)' is not a kernel source tree: it has no tools/testing/selftests)

clean:
	rm -f $(TESTS:%=$(OUT)/%) $(TESTS:%=$(OUT)/%.o) $(COMMON:%=$(OUT)/%.o) $(OUT)/$(LIST)
