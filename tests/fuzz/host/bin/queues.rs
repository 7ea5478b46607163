// SPDX-License-Identifier: GPL-2.0-only

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| io_ring_host_fuzz::queues(data));
