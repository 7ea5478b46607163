# SPDX-License-Identifier: GPL-2.0-only
#
# A thin front to scripts/, each of which has --help.

KDIR	?= /lib/modules/$(shell uname -r)/build
OUT	?= $(CURDIR)/build/modules
ARCH	?= x86_64
MANDIR	?= /usr/local/share/man

.PHONY: modules install install-man load unload demo shell test bench kunit soak check doc clean help

modules:
	KDIR='$(KDIR)' OUT='$(OUT)' scripts/modules

install: install-man
	KDIR='$(KDIR)' OUT='$(OUT)' scripts/modules --install

install-man:
	for page in man/*.[0-9]; do \
		install -D -m 644 "$$page" "$(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/}" || exit; \
	done

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

bench:
	scripts/bench

kunit:
	scripts/kunit --arch $(ARCH)

soak:
	scripts/soak

check:
	scripts/check

doc:
	scripts/doc

clean:
	rm -rf build

help:
	@echo 'With this host and a Rust-enabled kernel tree (KDIR=$(KDIR)):'
	@echo '  modules   build io_ring.ko into OUT=$(OUT)'
	@echo '  install   modules_install it, and the manual pages into MANDIR=$(MANDIR)'
	@echo '  load      insmod it; unload: rmmod it (root)'
	@echo 'With tools and kernels of their own, in a cache (root, or user namespaces):'
	@echo '  demo      build everything, boot a stock kernel in QEMU, copy a big file'
	@echo '  shell     a shell in that guest, module loaded, samples in PATH'
	@echo '  test      all tests; kunit (ARCH=$(ARCH), or arm), check: parts of them'
	@echo '  bench     instructions per request: io_ring, io_uring, libaio, pread'
	@echo '  soak      proofs that take hours: kills, stuck disks, unmounting, suspending'
	@echo '  doc       documentation of the module source'
	@echo '  clean     remove build/ (the cache, $${IO_RING_CACHE:-~/.cache/io_ring}, stays)'
