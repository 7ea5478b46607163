// SPDX-License-Identifier: GPL-2.0-only

//! Runs a target on files, without a fuzzer: `replay TARGET FILE...`.

use std::{env, fs, process::ExitCode};

fn target(name: &str) -> Option<fn(&[u8])> {
    match name {
        "names" => Some(io_ring_host_fuzz::names),
        "prepare" => Some(io_ring_host_fuzz::prepare),
        "queues" => Some(io_ring_host_fuzz::queues),
        "sizes" => Some(io_ring_host_fuzz::sizes),
        _ => None,
    }
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let Some(run) = arguments.next().as_deref().and_then(target) else {
        eprintln!("usage: replay TARGET FILE...");
        return ExitCode::from(2);
    };
    for file in arguments {
        match fs::read(&file) {
            Ok(bytes) => run(&bytes),
            Err(error) => {
                eprintln!("{file}: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
