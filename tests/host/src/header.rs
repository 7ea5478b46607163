// SPDX-License-Identifier: GPL-2.0-only

//! `include/uapi/linux/io_ring.h` against `rust/abi.rs`, with the C compiler as the judge.
//!
//! The tables below name every constant and every field once. From them comes a C program of static
//! assertions with the Rust values, which is compiled as C and as C++, for 64 and for 32 bits. The
//! text of both files is searched for names that the tables lack.

use crate::abi;
use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::io::Write as _;
use std::mem::{offset_of, size_of};
use std::process::{Command, Stdio};

const HEADER: &str = include_str!("../../../include/uapi/linux/io_ring.h");
const ABI: &str = concat!(
    include_str!("../../../rust/abi.rs"),
    include_str!("../../../rust/abi/resources.rs"),
    include_str!("../../../rust/abi/calls.rs"),
    include_str!("../../../rust/abi/cancel.rs"),
    include_str!("../../../rust/abi/events.rs"),
    include_str!("../../../rust/abi/iopoll.rs"),
    include_str!("../../../rust/abi/sq_thread.rs"),
    include_str!("../../../rust/abi/sqe_flags.rs"),
);
const INCLUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../include/uapi");

/// Constants of `abi.rs` that are made of others or of no concern to programs.
const RUST_ONLY: [&str; 7] = [
    "CANCEL_FLAGS",
    "ENTER_FLAGS",
    "FEATURES",
    "SETUP_FLAGS",
    "SQE_IN_TURN",
    "SQE_WORDS",
    "TIMEOUT_FLAGS",
];

/// The name in C, without `IO_RING_`, and the value in Rust.
type Constant = (&'static str, u64);

macro_rules! constants {
    ($($name:ident)*) => {
        [$((stringify!($name), u64::from(abi::$name))),*]
    };
}

fn constants() -> Vec<Constant> {
    let numbers = constants!(
        ABI_VERSION IOC_MAGIC QUERY SETUP ENTER REGISTER MAX_ENTRIES MAX_CQ_ENTRIES MAX_REQUESTS
        MAX_WORKERS OP_NOP OP_READV OP_WRITEV OP_FSYNC OP_READ_FIXED OP_WRITE_FIXED OP_READV_FIXED
        OP_WRITEV_FIXED
        OP_CANCEL OP_READ OP_WRITE OP_SUPPORTED OP_IOPOLL
        OP_SYNC_FILE_RANGE OP_FALLOCATE OP_FADVISE OP_FTRUNCATE OP_GETDENTS OP_COPY_FILE_RANGE
        COPY_FROM_FIXED OP_SENDMSG OP_RECVMSG OP_SEND OP_RECV
        FSYNC_DATASYNC CANCEL_ALL CANCEL_FD CANCEL_ANY CANCEL_USERDATA CANCEL_OP
        CANCEL_FD_FIXED SQE_FIXED_FILE SQE_DRAIN SQE_LINK SQE_HARDLINK SQE_FORCE_ASYNC
        SQE_CQE_SKIP_SUCCESS
        CQE_F_REJECTED CQE_FIELD_SHIFT CQE_FIELD_MASK CQE_PATH_SHIFT CQE_PATH_MASK
        PATH_INLINE PATH_POLLED PATH_WORKER PATH_DEVICE SQ_CQ_OVERFLOW
        SETUP_IOPOLL SETUP_CQSIZE SETUP_CLAMP SETUP_SUBMIT_ALL SETUP_NO_SQARRAY SETUP_REBIND
        SETUP_FORK_SHARED SETUP_STOP_ON_REJECT ENTER_ABS_TIMER ENTER_NO_STALL
        SETUP_SQPOLL SETUP_SQ_AFF SQ_NEED_WAKEUP ENTER_SQ_WAKEUP ENTER_SQ_WAIT SQ_IDLE_DEFAULT
        SQ_IDLE_NEVER
        REGISTER_BUFFERS UNREGISTER_BUFFERS UPDATE_BUFFERS MAX_BUFFERS MAX_BUFFER_LEN BUFFER_KEEP
        CQ_EVENTFD_DISABLED REGISTER_EVENTFD UNREGISTER_EVENTFD REGISTER_EVENTFD_ASYNC
        UNREGISTER_FILES REGISTER_FILES UPDATE_FILES REGISTER_QUIESCE MAX_FILES
        FEAT_SINGLE_MMAP FEAT_NODROP FEAT_SUBMIT_STABLE FEAT_RW_CUR_POS
        OP_POLL_ADD OP_POLL_REMOVE OP_TIMEOUT OP_TIMEOUT_REMOVE OP_LINK_TIMEOUT POLL_ADD_MULTI
        POLL_UPDATE_EVENTS POLL_UPDATE_USER_DATA TIMEOUT_ABS TIMEOUT_UPDATE TIMEOUT_BOOTTIME
        TIMEOUT_REALTIME TIMEOUT_ETIME_SUCCESS TIMEOUT_MULTISHOT CQE_F_MORE
        NO_FIELD LIMIT_NONE LIMIT_ENTRIES LIMIT_CQ_ENTRIES LIMIT_REQUESTS LIMIT_MEMORY
        LIMIT_DISABLED LIMIT_WORKERS LIMIT_FILES
        OFF_REGION OFF_CQ_REGION OFF_SQES
    );
    let negative = [("FILE_NONE", abi::FILE_NONE), ("FILE_KEEP", abi::FILE_KEEP)];
    let negative = negative.map(|(name, value)| (name, i64::from(value) as u64));
    [numbers.as_slice(), &negative].concat()
}

struct Field {
    name: &'static str,
    offset: usize,
    size: usize,
    rust_type: &'static str,
}

struct Structure {
    /// The name in C, without `io_ring_`.
    name: &'static str,
    size: usize,
    fields: Vec<Field>,
}

macro_rules! structure {
    ($name:literal, $structure:ty: $($field:ident)*) => {{
        let example = <$structure>::default();
        Structure {
            name: $name,
            size: size_of::<$structure>(),
            fields: vec![$(Field {
                name: stringify!($field),
                offset: offset_of!($structure, $field),
                size: size_of_val(&example.$field),
                rust_type: std::any::type_name_of_val(&example.$field),
            }),*],
        }
    }};
}

fn structures() -> Vec<Structure> {
    vec![
        structure!("sqe", abi::Sqe: opcode flags ioprio fd off addr len op_flags user_data buf_index
            personality file_index addr3 resv),
        structure!("cqe", abi::Cqe: user_data res flags),
        structure!("sq_offsets", abi::SqOffsets: head tail ring_mask ring_entries flags dropped
            array dropped_at),
        structure!("cq_offsets", abi::CqOffsets: head tail ring_mask ring_entries overflow cqes
            flags resv),
        structure!("setup", abi::Setup: size flags entries cq_entries requests error_field
            error_limit max_workers limit_need limit_have features region_size sqes_offset sqes_size
            sq_off cq_off files nr_files nr_ops ops sq_thread_cpu sq_thread_idle_ms),
        structure!("enter", abi::Enter: to_submit min_complete flags wait_error error_field clock
            timeout min_wait sigmask),
        structure!("register", abi::Register: size opcode flags error_field addr nr
            error_index),
        structure!("resources", abi::Resources: first resv data tags),
        structure!("buffer", abi::Buffer: addr len),
        structure!("timespec", abi::Timespec: sec nsec),
        structure!("quiesce", abi::Quiesce: timeout left resv),
        structure!("op_info", abi::OpInfo: opcode flags sqe_flags resv op_flags fields),
        structure!("query", abi::Query: size abi_version ops ops_len ops_max features setup_flags
            enter_flags max_entries max_cq_entries max_requests disabled error_field
            max_workers),
    ]
}

/// The type in C of a number in Rust; `None` for arrays and structures.
fn c_type(rust_type: &str) -> Option<&'static str> {
    match rust_type {
        "u8" => Some("__u8"),
        "u16" => Some("__u16"),
        "u32" => Some("__u32"),
        "i32" => Some("__s32"),
        "u64" => Some("__u64"),
        _ => None,
    }
}

const PROLOGUE: &str = r#"#include <linux/io_ring.h>
#include <stddef.h>
#ifdef __cplusplus
#define CHECK(condition) static_assert(condition, "as in abi.rs")
#define HAS_TYPE(type, expression) true
#else
#define CHECK(condition) _Static_assert(condition, "as in abi.rs")
#define HAS_TYPE(type, expression) _Generic(expression, type: 1, default: 0)
#endif
"#;

/// A C program that compiles if header and Rust file agree.
fn program() -> String {
    let mut program = String::from(PROLOGUE);
    for (name, value) in constants() {
        writeln!(
            program,
            "CHECK((unsigned long long)IO_RING_{name} == {value}ULL);"
        )
        .unwrap();
    }
    for structure in structures() {
        let tag = format!("struct io_ring_{}", structure.name);
        writeln!(program, "CHECK(sizeof({tag}) == {});", structure.size).unwrap();
        for field in structure.fields {
            let Field {
                name, offset, size, ..
            } = field;
            let member = format!("(({tag} *)0)->{name}");
            writeln!(program, "CHECK(offsetof({tag}, {name}) == {offset});").unwrap();
            writeln!(program, "CHECK(sizeof({member}) == {size});").unwrap();
            if let Some(c_type) = c_type(field.rust_type) {
                writeln!(program, "CHECK(HAS_TYPE({c_type}, {member}));").unwrap();
            }
        }
    }
    program
}

/// The C or C++ compiler: what the environment names, or the first of `usual` that runs.
fn compiler(variable: &str, usual: &[&str]) -> String {
    let runs = |name: &&&str| {
        let mut command = Command::new(name);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    env::var(variable).unwrap_or_else(|_| {
        let found = usual.iter().find(runs);
        let missing = format!("no compiler: install one of {usual:?} or set {variable}");
        found.expect(&missing).to_string()
    })
}

/// Compiles `program` without linking; the messages are the error.
fn compile(compiler: &str, options: &[&str], program: &str) -> Result<(), String> {
    // The kernel's asm headers serve all ABIs of an architecture, but distributions file them
    // under the native one.
    let native = format!("/usr/include/{}-linux-gnu", env::consts::ARCH);
    let mut words = compiler.split_whitespace();
    let mut child = Command::new(words.next().expect("a compiler has a name"))
        .args(words)
        .args(["-I", INCLUDE, "-idirafter", &native])
        .args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
        .args(options)
        .arg("-")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {compiler}: {error}"));
    let mut input = child.stdin.take().expect("stdin is a pipe");
    input
        .write_all(program.as_bytes())
        .expect("the compiler reads");
    drop(input);
    let output = child.wait_with_output().expect("the compiler ends");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn compile_c(options: &[&str], program: &str) -> Result<(), String> {
    let options = [&["-x", "c"], options].concat();
    compile(&compiler("CC", &["cc", "gcc", "clang"]), &options, program)
}

fn compile_cxx(options: &[&str], program: &str) -> Result<(), String> {
    let usual = ["c++", "g++", "clang++", "clang++-19"];
    let options = [&["-x", "c++"], options].concat();
    compile(&compiler("CXX", &usual), &options, program)
}

fn assert_compiles(result: Result<(), String>) {
    if let Err(messages) = result {
        panic!("the compiler says:\n{messages}");
    }
}

#[test]
fn the_header_agrees_in_c() {
    assert_compiles(compile_c(&["-std=c11"], &program()));
}

#[test]
fn the_header_agrees_in_cxx() {
    assert_compiles(compile_cxx(&["-std=c++17"], &program()));
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_header_agrees_for_32_bits() {
    assert_compiles(compile_c(&["-std=c11", "-m32"], &program()));
    assert_compiles(compile_cxx(&["-std=c++17", "-m32"], &program()));
}

#[test]
fn the_header_compiles_alone_in_old_c() {
    assert_compiles(compile_c(&["-std=c90"], "#include <linux/io_ring.h>\n"));
}

#[test]
fn a_difference_is_noticed() {
    for wrong in [
        "CHECK(IO_RING_ABI_VERSION == 2);",
        "CHECK(offsetof(struct io_ring_sqe, fd) == 5);",
        "CHECK(IO_RING_NONE_SUCH == 0);",
    ] {
        let program = format!("{PROLOGUE}{wrong}\n");
        assert!(compile_c(&["-std=c11"], &program).is_err(), "{wrong}");
        assert!(compile_cxx(&["-std=c++17"], &program).is_err(), "{wrong}");
    }
    let signed = format!("{PROLOGUE}CHECK(HAS_TYPE(__u32, ((struct io_ring_sqe *)0)->fd));\n");
    assert!(compile_c(&["-std=c11"], &signed).is_err());
}

/// The header without its comments.
fn header_code() -> String {
    let mut code = String::new();
    let mut rest = HEADER;
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").expect("comments end").1;
    }
    code + rest
}

fn identifier(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

#[test]
fn no_constant_of_the_header_is_missing() {
    let code = header_code();
    let defined: BTreeSet<&str> = code
        .lines()
        .map(|line| line.trim().trim_start_matches("#define").trim_start())
        .filter_map(|line| line.strip_prefix("IO_RING_"))
        .map(identifier)
        .collect();
    let listed: BTreeSet<&str> = constants().iter().map(|constant| constant.0).collect();
    assert_eq!(defined, listed);
}

#[test]
fn no_constant_of_abi_rs_is_missing() {
    let defined: BTreeSet<&str> = ABI
        .lines()
        .filter_map(|line| line.strip_prefix("pub const "))
        .map(identifier)
        .filter(|name| !RUST_ONLY.contains(name))
        .collect();
    let listed: BTreeSet<&str> = constants().iter().map(|constant| constant.0).collect();
    assert_eq!(defined, listed);
}

#[test]
fn no_structure_or_field_of_the_header_is_missing() {
    let code = header_code();
    let mut defined = BTreeSet::new();
    for structure in code.split("\nstruct io_ring_").skip(1) {
        let (name, body) = structure.split_once(" {").expect("structures are defined");
        let body = body.split_once("\n};").expect("structures end").0;
        for declaration in body.split_terminator(';') {
            let member = declaration
                .split_whitespace()
                .last()
                .expect("members have names");
            defined.insert(format!("{name}.{}", identifier(member)));
        }
    }
    let listed: BTreeSet<String> = structures()
        .iter()
        .flat_map(|s| {
            s.fields
                .iter()
                .map(move |field| format!("{}.{}", s.name, field.name))
        })
        .collect();
    assert_eq!(defined, listed);
}

#[test]
fn made_up_constants_are_made_of_all_parts() {
    let all = |prefix: &str| {
        let parts = constants().into_iter();
        parts
            .filter(|(name, _)| name.starts_with(prefix))
            .fold(0, |all, (_, value)| all | value)
    };
    assert_eq!(u64::from(abi::SETUP_FLAGS), all("SETUP_"));
    assert_eq!(u64::from(abi::ENTER_FLAGS), all("ENTER_"));
    assert_eq!(u64::from(abi::CANCEL_FLAGS), all("CANCEL_"));
    assert_eq!(abi::FEATURES, all("FEAT_"));
    assert_eq!(abi::SQE_WORDS * size_of::<u64>(), size_of::<abi::Sqe>());
}
