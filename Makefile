# SPDX-License-Identifier: GPL-2.0-only
#
# A thin front to scripts/, each of which has --help.

KDIR	?= /lib/modules/$(shell uname -r)/build
OUT	?= $(CURDIR)/build/modules
ARCH	?= x86_64
PREFIX	?= /usr/local
MANDIR	?= $(PREFIX)/share/man
INCLUDEDIR ?= $(PREFIX)/include

.PHONY: modules install install-man install-header load unload demo shell test test-debug bench kunit soak fuzz check doc clean help

modules:
	KDIR='$(KDIR)' OUT='$(OUT)' scripts/modules

install: install-man install-header
	KDIR='$(KDIR)' OUT='$(OUT)' scripts/modules --install INSTALL_MOD_PATH='$(DESTDIR)'

install-man:
	for page in man/*.[0-9]; do \
		install -D -m 644 "$$page" "$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}" || exit; \
	done

install-header:
	install -D -m 644 include/uapi/linux/io_ring.h "$(DESTDIR)$(INCLUDEDIR)/linux/io_ring.h"

load: modules
	insmod $(OUT)/io_ring.ko

unload:
	rmmod io_ring

demo:
	scripts/demo

shell:
	scripts/guest-run --samples --limit 80000 --shell

test:
	scripts/test

test-debug:
	scripts/test gate detectors kunit debug debug-all faults soak-debug detectors-kcsan kcsan soak-kcsan

bench:
	scripts/bench

kunit:
	scripts/kunit --arch $(ARCH)

soak:
	scripts/soak

fuzz:
	scripts/fuzz --host
	scripts/fuzz --seconds 600

check:
	scripts/check

doc:
	scripts/doc

clean:
	rm -rf build

help:
	@echo 'With this host and a Rust-enabled kernel tree (KDIR=$(KDIR)):'
	@echo '  modules   build io_ring.ko into OUT=$(OUT)'
	@echo '  install   modules_install it, with manual pages into MANDIR=$(MANDIR)'
	@echo '            and the header into INCLUDEDIR=$(INCLUDEDIR); all below DESTDIR'
	@echo '  load      insmod it; unload: rmmod it (root)'
	@echo 'With tools and kernels of their own, in a cache (root, or user namespaces):'
	@echo '  demo      build everything, boot a stock kernel in QEMU, copy a big file'
	@echo '  shell     a shell in that guest, module loaded, samples in PATH'
	@echo '  test      all tests; kunit (ARCH=$(ARCH), or arm), check: parts of them'
	@echo '  test-debug'
	@echo '            all there is on kernels that check themselves; another kernel to build'
	@echo '  bench     instructions per request: io_ring, io_uring, libaio, pread'
	@echo '  soak      proofs that take hours: kills, stuck disks, unmounting, suspending'
	@echo '  fuzz      ten minutes of random programs in a guest, a minute on the host'
	@echo '  doc       documentation of the module source'
	@echo '  clean     remove build/ (the cache, $${IO_RING_CACHE:-~/.cache/io_ring}, stays)'
