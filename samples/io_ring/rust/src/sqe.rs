// SPDX-License-Identifier: LGPL-2.1-or-later OR MIT

//! Building submission queue entries.

use crate::abi;
use core::ffi::c_int;

/// Offset that means the file position, which the operation then uses and advances.
pub const CURRENT_POSITION: u64 = !0;

/// One piece of a vectored transfer: `struct iovec` of `readv(2)`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct IoVec {
    /// First byte.
    pub base: *mut u8,
    /// Number of bytes.
    pub len: usize,
}

/// A submission queue entry: one request, not yet submitted.
///
/// An entry cannot be copied: whoever made it vouched for one request.
///
/// # Safety of the constructors
///
/// All but [`nop`](Sqe::nop), [`cancel`](Sqe::cancel) and [`cancel_any`](Sqe::cancel_any) are unsafe to call, since the kernel uses what they name after the
/// call has returned. The caller must make sure that
///
/// * the descriptor is open until the entry has been submitted;
/// * buffers are valid, and used by nobody else in a way that conflicts, until the completion has
///   been read, `Ring::quiesce` has answered 0, or the `Ring` has been dropped and its descriptor
///   was neither duplicated nor inherited;
/// * arrays of [`IoVec`] are valid until the entry has been submitted.
#[derive(Debug)]
#[must_use = "an entry does nothing until it is pushed and submitted"]
pub struct Sqe(abi::Sqe);

impl Sqe {
    /// Does nothing and completes with 0.
    ///
    /// ```
    /// let sqe = io_ring::Sqe::nop().user_data(42);
    /// assert_eq!(sqe.as_raw().user_data, 42);
    /// ```
    pub fn nop() -> Self {
        Self(abi::Sqe {
            opcode: abi::OP_NOP,
            ..abi::Sqe::default()
        })
    }

    /// Reads into `buffer` as `pread(2)`, or as `read(2)` at [`CURRENT_POSITION`].
    ///
    /// # Safety
    ///
    /// See [the type](Sqe#safety-of-the-constructors).
    pub unsafe fn read(fd: c_int, buffer: *mut [u8], offset: u64) -> Self {
        Self::transfer(abi::OP_READ, fd, buffer.cast::<u8>(), buffer.len(), offset)
    }

    /// Writes `buffer` as `pwrite(2)`, or as `write(2)` at [`CURRENT_POSITION`].
    ///
    /// # Safety
    ///
    /// See [the type](Sqe#safety-of-the-constructors).
    pub unsafe fn write(fd: c_int, buffer: *const [u8], offset: u64) -> Self {
        Self::transfer(abi::OP_WRITE, fd, buffer.cast::<u8>(), buffer.len(), offset)
    }

    /// Reads into several buffers as `preadv2(2)`.
    ///
    /// # Safety
    ///
    /// See [the type](Sqe#safety-of-the-constructors).
    pub unsafe fn readv(fd: c_int, vector: *const [IoVec], offset: u64) -> Self {
        Self::transfer(
            abi::OP_READV,
            fd,
            vector.cast::<IoVec>(),
            vector.len(),
            offset,
        )
    }

    /// Writes several buffers as `pwritev2(2)`.
    ///
    /// # Safety
    ///
    /// See [the type](Sqe#safety-of-the-constructors).
    pub unsafe fn writev(fd: c_int, vector: *const [IoVec], offset: u64) -> Self {
        Self::transfer(
            abi::OP_WRITEV,
            fd,
            vector.cast::<IoVec>(),
            vector.len(),
            offset,
        )
    }

    /// Reads as [`read`](Sqe::read), into a part of the registered buffer `number`.
    ///
    /// # Safety
    ///
    /// See [the type](Sqe#safety-of-the-constructors).
    pub unsafe fn read_fixed(fd: c_int, number: u16, part: *mut [u8], offset: u64) -> Self {
        let first = part.cast::<u8>();
        Self::transfer(abi::OP_READ_FIXED, fd, first, part.len(), offset).buffer(number)
    }

    /// Writes as [`write`](Sqe::write), a part of the registered buffer `number`.
    ///
    /// # Safety
    ///
    /// See [the type](Sqe#safety-of-the-constructors).
    pub unsafe fn write_fixed(fd: c_int, number: u16, part: *const [u8], offset: u64) -> Self {
        let first = part.cast::<u8>();
        Self::transfer(abi::OP_WRITE_FIXED, fd, first, part.len(), offset).buffer(number)
    }

    /// Reads as [`readv`](Sqe::readv), into parts of the registered buffer `number`.
    ///
    /// # Safety
    ///
    /// See [the type](Sqe#safety-of-the-constructors).
    pub unsafe fn readv_fixed(fd: c_int, number: u16, parts: *const [IoVec], offset: u64) -> Self {
        let first = parts.cast::<IoVec>();
        Self::transfer(abi::OP_READV_FIXED, fd, first, parts.len(), offset).buffer(number)
    }

    /// Writes as [`writev`](Sqe::writev), parts of the registered buffer `number`.
    ///
    /// # Safety
    ///
    /// See [the type](Sqe#safety-of-the-constructors).
    pub unsafe fn writev_fixed(fd: c_int, number: u16, parts: *const [IoVec], offset: u64) -> Self {
        let first = parts.cast::<IoVec>();
        Self::transfer(abi::OP_WRITEV_FIXED, fd, first, parts.len(), offset).buffer(number)
    }

    /// Makes the whole file durable as `fsync(2)`.
    ///
    /// # Safety
    ///
    /// See [the type](Sqe#safety-of-the-constructors); only the descriptor matters.
    pub unsafe fn fsync(fd: c_int) -> Self {
        Self(abi::Sqe {
            opcode: abi::OP_FSYNC,
            fd,
            ..abi::Sqe::default()
        })
    }

    /// Makes the file's data durable as `fdatasync(2)`.
    ///
    /// # Safety
    ///
    /// See [the type](Sqe#safety-of-the-constructors); only the descriptor matters.
    pub unsafe fn fdatasync(fd: c_int) -> Self {
        let op_flags = abi::FSYNC_DATASYNC;
        Self(abi::Sqe {
            opcode: abi::OP_FSYNC,
            fd,
            op_flags,
            ..abi::Sqe::default()
        })
    }

    /// Cancels a request that waits, by its [`user_data`](Self::user_data).
    ///
    /// With [`abi::CANCEL_ALL`] as [`op_flags`](Self::op_flags) it cancels all that have it.
    ///
    /// ```
    /// let sqe = io_ring::Sqe::cancel(42);
    /// assert_eq!(sqe.as_raw().addr, 42);
    /// ```
    pub fn cancel(user_data: u64) -> Self {
        Self(abi::Sqe {
            opcode: abi::OP_CANCEL,
            addr: user_data,
            ..abi::Sqe::default()
        })
    }

    /// Cancels all requests that wait.
    pub fn cancel_any() -> Self {
        Self::cancel(0).op_flags(abi::CANCEL_ANY)
    }

    /// Takes an entry as it is, for operations and fields that have no constructor here.
    ///
    /// # Safety
    ///
    /// Whatever the entry names by address or descriptor must be as
    /// [the type](Sqe#safety-of-the-constructors) demands.
    pub const unsafe fn from_raw(raw: abi::Sqe) -> Self {
        Self(raw)
    }

    /// The entry as the kernel will see it.
    pub const fn as_raw(&self) -> &abi::Sqe {
        &self.0
    }

    /// Sets the number that the completion hands back; 0 if this is not called.
    pub const fn user_data(mut self, user_data: u64) -> Self {
        self.0.user_data = user_data;
        self
    }

    /// Sets the I/O priority of a transfer, as `ioprio_set(2)` encodes it.
    pub const fn ioprio(mut self, ioprio: u16) -> Self {
        self.0.ioprio = ioprio;
        self
    }

    /// Sets the flags of the operation: `RWF_*` of `preadv2(2)` for transfers.
    pub const fn op_flags(mut self, op_flags: u32) -> Self {
        self.0.op_flags = op_flags;
        self
    }

    /// Names the file by its number in the table of registered files, instead of the descriptor that
    /// the constructor was given.
    ///
    /// ```
    /// // SAFETY: The entry is not submitted.
    /// let sqe = unsafe { io_ring::Sqe::fsync(-1) }.fixed_file(3);
    /// assert_eq!(sqe.as_raw().fd, 3);
    /// ```
    pub const fn fixed_file(mut self, number: u32) -> Self {
        // A number beyond the largest is one that no table has: the kernel refuses it.
        self.0.fd = number as c_int;
        self.0.flags |= abi::SQE_FIXED_FILE;
        self
    }

    const fn buffer(mut self, number: u16) -> Self {
        self.0.buf_index = number;
        self
    }

    fn transfer<T>(opcode: u8, fd: c_int, first: *const T, count: usize, off: u64) -> Self {
        Self(abi::Sqe {
            opcode,
            fd,
            off,
            addr: first.expose_provenance() as u64,
            // A longer transfer is a short one: the kernel cuts at 0x7ffff000 bytes anyway.
            len: u32::try_from(count).unwrap_or(u32::MAX),
            ..abi::Sqe::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::ptr;
    use zerocopy::IntoBytes;

    #[test]
    fn transfers_carry_what_they_were_given() {
        let mut buffer = [0u8; 100];
        let address = buffer.as_ptr().addr() as u64;
        // SAFETY: The entries are not submitted.
        let read = unsafe { Sqe::read(5, &mut buffer[..], 4096) };
        assert_eq!(read.as_raw().opcode, 22);
        assert_eq!(read.as_raw().fd, 5);
        assert_eq!(read.as_raw().addr, address);
        assert_eq!(read.as_raw().len, 100);
        assert_eq!(read.as_raw().off, 4096);

        // SAFETY: As above.
        let write = unsafe { Sqe::write(6, &buffer[..7], CURRENT_POSITION) };
        assert_eq!(write.as_raw().opcode, 23);
        assert_eq!(write.as_raw().len, 7);
        assert_eq!(write.as_raw().off, u64::MAX);
    }

    #[test]
    fn vectors_are_counted_in_elements() {
        let vector = [IoVec {
            base: ptr::null_mut(),
            len: 9,
        }; 3];
        // SAFETY: The entry is not submitted.
        let readv = unsafe { Sqe::readv(1, &vector[..], 0) };
        // SAFETY: As above.
        let writev = unsafe { Sqe::writev(1, &vector[..2], 0) };
        assert_eq!((readv.as_raw().opcode, readv.as_raw().len), (1, 3));
        assert_eq!((writev.as_raw().opcode, writev.as_raw().len), (2, 2));
    }

    #[test]
    fn registered_buffers_are_named_by_number() {
        let mut memory = [0u8; 100];
        let part = &raw mut memory[10..30];
        let vector = [IoVec {
            base: part.cast(),
            len: 20,
        }; 2];
        // SAFETY: The entries are not submitted.
        let read = unsafe { Sqe::read_fixed(5, u16::MAX, part, 4096) };
        // SAFETY: As above.
        let write = unsafe { Sqe::write_fixed(5, u16::MAX, part, 4096) };
        // SAFETY: As above.
        let readv = unsafe { Sqe::readv_fixed(5, u16::MAX, &vector[..], 4096) };
        // SAFETY: As above.
        let writev = unsafe { Sqe::writev_fixed(5, u16::MAX, &vector[..], 4096) };
        let first = vector.as_ptr().addr();
        let expected = [
            (4, part.cast::<u8>().addr(), 20),
            (5, part.cast::<u8>().addr(), 20),
            (58, first, 2),
            (59, first, 2),
        ];
        for (sqe, (opcode, addr, len)) in [read, write, readv, writev].iter().zip(expected) {
            let raw = sqe.as_raw();
            assert_eq!((raw.opcode, raw.addr, raw.len), (opcode, addr as u64, len));
            assert_eq!((raw.fd, raw.off, raw.buf_index), (5, 4096, u16::MAX));
        }
    }

    #[test]
    fn unused_fields_are_zero() {
        // SAFETY: The entry is not submitted.
        let fsync = unsafe { Sqe::fsync(3) };
        let mut expected = [0u8; 64];
        expected[0] = 3;
        expected[4..8].copy_from_slice(&3i32.to_ne_bytes());
        assert_eq!(fsync.as_raw().as_bytes(), expected);

        // SAFETY: As above.
        let fdatasync = unsafe { Sqe::fdatasync(3) };
        expected[28..32].copy_from_slice(&1u32.to_ne_bytes());
        assert_eq!(fdatasync.as_raw().as_bytes(), expected);
        assert_eq!(Sqe::nop().as_raw().as_bytes(), [0u8; 64]);
    }

    #[test]
    fn lengths_beyond_32_bits_are_cut() {
        let Some(len) = (u32::MAX as usize).checked_add(1) else {
            return assert_eq!(usize::BITS, 32);
        };
        let huge = ptr::slice_from_raw_parts(ptr::null::<u8>(), len);
        // SAFETY: The entry is not submitted.
        let write = unsafe { Sqe::write(1, huge, 0) };
        assert_eq!(write.as_raw().len, u32::MAX);
    }

    #[test]
    fn cancels_say_which() {
        let one = Sqe::cancel(u64::MAX);
        assert_eq!((one.as_raw().opcode, one.as_raw().addr), (14, u64::MAX));
        assert_eq!((one.as_raw().op_flags, one.as_raw().fd), (0, 0));
        let any = Sqe::cancel_any();
        assert_eq!((any.as_raw().opcode, any.as_raw().addr), (14, 0));
        assert_eq!(any.as_raw().op_flags, 4);
    }

    #[test]
    fn modifiers_set_their_field() {
        let fixed = Sqe::nop().fixed_file(5);
        assert_eq!((fixed.as_raw().fd, fixed.as_raw().flags), (5, 1));
        assert_eq!(Sqe::nop().fixed_file(u32::MAX).as_raw().fd, -1);
        let sqe = Sqe::nop().user_data(1 << 40).ioprio(0x4007).op_flags(8);
        assert_eq!(sqe.as_raw().user_data, 1 << 40);
        assert_eq!(sqe.as_raw().ioprio, 0x4007);
        assert_eq!(sqe.as_raw().op_flags, 8);
    }
}
