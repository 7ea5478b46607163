// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! Copies a file with several blocks under way at a time.

#![expect(
    clippy::indexing_slicing,
    reason = "block numbers and lengths are the program's own; a wrong one should stop it"
)]

use io_ring::{Completion, Ring, Sqe};
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::process::ExitCode;

const HELP: &str = "\
Usage: copy [--depth N] [--block BYTES] SOURCE DESTINATION

Copies the regular file SOURCE to DESTINATION through /dev/io_ring.

  --depth N       blocks under way at a time, 1 to 32768 (default 16)
  --block BYTES   size of a block, 1 to 1073741824 (default 65536)
  --help          print this text

Exit status: 0 copied, 1 failed, 2 wrong usage.";

/// What the command line asks for.
struct Options {
    depth: usize,
    block: usize,
    source: String,
    destination: String,
}

/// Parses the command line; `None` if the user wants help.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let (mut depth, mut block, mut files) = (16, 65536, Vec::new());
    while let Some(argument) = arguments.next() {
        let (number, limit) = match argument.as_str() {
            "--help" => return Ok(None),
            "--depth" => (&mut depth, 32768),
            "--block" => (&mut block, 1 << 30),
            option if option.starts_with("--") => return Err(format!("unknown option {option}")),
            _ => {
                files.push(argument);
                continue;
            }
        };
        let value = arguments.next().unwrap_or_default();
        *number = match value.parse() {
            Ok(value) if (1..=limit).contains(&value) => value,
            _ => {
                return Err(format!(
                    "{argument} wants a number from 1 to {limit}: '{value}'"
                ))
            }
        };
    }
    let [source, destination] = <[String; 2]>::try_from(files)
        .map_err(|files| format!("2 file names wanted, {} given", files.len()))?;
    Ok(Some(Options {
        depth,
        block,
        source,
        destination,
    }))
}

/// Opens the destination and empties it, unless it is the source.
fn create(path: &str, source: &File) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    let (from, to) = (source.metadata()?, file.metadata()?);
    if (from.dev(), from.ino()) == (to.dev(), to.ino()) {
        return Err(io::Error::other("it is the source"));
    }
    if to.is_file() {
        file.set_len(0)?;
    }
    Ok(file)
}

/// One block of the file on its way.
struct Block {
    buffer: Vec<u8>,
    /// Where in the file the buffer starts.
    offset: u64,
    /// Bytes of the block that are still to be copied, from `offset` on.
    left: usize,
    /// Bytes of the buffer that have been read; 0 while reading.
    filled: usize,
    /// Bytes of the buffer that have been written.
    written: usize,
}

struct Copy<'a> {
    // Dropped first: then the kernel no longer uses the buffers of the blocks.
    ring: Ring,
    blocks: Vec<Block>,
    source: &'a File,
    destination: &'a File,
    block_size: usize,
    /// Where the next block starts.
    next: u64,
    /// Blocks under way.
    busy: usize,
    copied: u64,
    end_seen: bool,
}

impl Copy<'_> {
    /// Copies everything and returns the number of bytes.
    fn run(mut self) -> Result<u64, Box<dyn Error>> {
        for index in 0..self.blocks.len() {
            self.start(index)?;
        }
        while self.busy > 0 {
            self.ring.submit_and_wait(1)?;
            while let Some(completion) = self.ring.next_completion() {
                self.advance(completion)?;
            }
        }
        Ok(self.copied)
    }

    /// Gives a new block of the file to the block `index`.
    fn start(&mut self, index: usize) -> Result<(), Box<dyn Error>> {
        self.blocks[index].offset = self.next;
        self.blocks[index].left = self.block_size;
        self.next += self.block_size as u64;
        self.busy += 1;
        self.read(index)
    }

    fn read(&mut self, index: usize) -> Result<(), Box<dyn Error>> {
        let block = &mut self.blocks[index];
        block.filled = 0;
        block.written = 0;
        let buffer = &mut block.buffer[..block.left];
        // SAFETY: The file is open throughout. The buffer is left alone until the completion, and
        // freed after the ring.
        let sqe = unsafe { Sqe::read(self.source.as_raw_fd(), buffer, block.offset) };
        Ok(self.ring.push(sqe.user_data(index as u64))?)
    }

    fn write(&mut self, index: usize) -> Result<(), Box<dyn Error>> {
        let block = &self.blocks[index];
        let buffer = &block.buffer[block.written..block.filled];
        let offset = block.offset + block.written as u64;
        // SAFETY: As in `read`.
        let sqe = unsafe { Sqe::write(self.destination.as_raw_fd(), buffer, offset) };
        Ok(self.ring.push(sqe.user_data(index as u64))?)
    }

    /// Does what comes next for the block that `completion` is about.
    fn advance(&mut self, completion: Completion) -> Result<(), Box<dyn Error>> {
        let index = usize::try_from(completion.user_data())?;
        let count = completion.result()? as usize;
        let block = &mut self.blocks[index];
        if block.filled == 0 {
            if count == 0 {
                self.end_seen = true;
                self.busy -= 1;
                return Ok(());
            }
            block.filled = count;
            return self.write(index);
        }
        if count == 0 {
            return Err("the destination takes no more bytes".into());
        }
        block.written += count;
        self.copied += count as u64;
        if block.written < block.filled {
            return self.write(index);
        }
        // A short read is no end of file: what is left of the block comes next.
        block.offset += block.filled as u64;
        block.left -= block.filled;
        if block.left > 0 {
            return self.read(index);
        }
        self.busy -= 1;
        if self.end_seen {
            return Ok(());
        }
        self.start(index)
    }
}

fn copy(options: &Options) -> Result<u64, Box<dyn Error>> {
    let source =
        File::open(&options.source).map_err(|e| format!("cannot open {}: {e}", options.source))?;
    if !source.metadata()?.is_file() {
        return Err(format!("{} is not a regular file", options.source).into());
    }
    let ring = Ring::builder(u32::try_from(options.depth)?).build()?;
    let destination = create(&options.destination, &source)
        .map_err(|e| format!("cannot write {}: {e}", options.destination))?;
    let block = || Block {
        buffer: vec![0; options.block],
        offset: 0,
        left: 0,
        filled: 0,
        written: 0,
    };
    let copy = Copy {
        ring,
        blocks: std::iter::repeat_with(block).take(options.depth).collect(),
        source: &source,
        destination: &destination,
        block_size: options.block,
        next: 0,
        busy: 0,
        copied: 0,
        end_seen: false,
    };
    copy.run()
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("copy: {message}; try --help");
            return ExitCode::from(2);
        }
    };
    match copy(&options) {
        Ok(bytes) => {
            println!("{bytes} bytes copied");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("copy: {error}");
            ExitCode::FAILURE
        }
    }
}
