//! A guest that makes host calls and answers the request with what came of each: its status, and what
//! it gave. So every call can be compared, on any host, from outside.

use std::fmt::Write;

/// Where calls write their results: an address and a size, or one word or long; and a second word.
const OUT: u32 = 16;
const OUT_SIZE: u32 = 20;
const OUT_MORE: u32 = 24;

/// The module in the making: one story a letter of the path's first segment, `/a`, `/b`, ...
#[derive(Default)]
pub struct Prober {
    literals: String,
    next_literal: usize,
    stories: Vec<Story>,
}

/// Calls in a row, in one request.
pub struct Story {
    pub name: &'static str,
    /// What each note in the answer is about.
    pub labels: Vec<String>,
    /// Told when the request's body comes, and not when its headers do.
    pub with_body: bool,
    code: String,
}

/// An argument.
#[derive(Clone, Copy)]
pub enum Arg<'a> {
    Number(i32),
    Long(i64),
    /// Address and size.
    Text(&'a [u8]),
    /// Where an address and a size are to go.
    Out,
    /// Where a word or a long is to go.
    Word,
    /// Where a second word is to go.
    More,
    /// The context of the request.
    Stream,
}

/// What a call gives beside its status.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    Nothing,
    Word,
    Long,
    Bytes,
    /// Bytes, and a word behind them.
    BytesAndMore,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub status: u8,
    pub gave: Vec<u8>,
}

/// Functions of the ABI with their parameters, `i` for i32 and `l` for i64; all return i32.
const FUNCTIONS: [(&str, &str); 34] = [
    ("pthread_equal", "ii"),
    ("proxy_log", "iii"),
    ("proxy_get_log_level", "i"),
    ("proxy_set_tick_period_milliseconds", "i"),
    ("proxy_get_buffer_bytes", "iiiii"),
    ("proxy_get_buffer_status", "iii"),
    ("proxy_set_buffer_bytes", "iiiii"),
    ("proxy_get_header_map_pairs", "iii"),
    ("proxy_get_header_map_size", "ii"),
    ("proxy_get_header_map_value", "iiiii"),
    ("proxy_set_header_map_pairs", "iii"),
    ("proxy_add_header_map_value", "iiiii"),
    ("proxy_replace_header_map_value", "iiiii"),
    ("proxy_remove_header_map_value", "iii"),
    ("proxy_get_property", "iiii"),
    ("proxy_set_property", "iiii"),
    ("proxy_define_metric", "iiii"),
    ("proxy_increment_metric", "il"),
    ("proxy_record_metric", "il"),
    ("proxy_get_metric", "ii"),
    ("proxy_get_shared_data", "iiiii"),
    ("proxy_set_shared_data", "iiiii"),
    ("proxy_register_shared_queue", "iii"),
    ("proxy_resolve_shared_queue", "iiiii"),
    ("proxy_enqueue_shared_queue", "iii"),
    ("proxy_dequeue_shared_queue", "iii"),
    ("proxy_http_call", "iiiiiiiiii"),
    ("proxy_continue_stream", "i"),
    ("proxy_close_stream", "i"),
    ("proxy_send_local_response", "iiiiiiii"),
    ("proxy_set_effective_context", "i"),
    ("proxy_call_foreign_function", "iiiiii"),
    ("proxy_get_status", "iii"),
    ("proxy_done", ""),
];

/// The functions of WASI that Envoy has and that return, with the parameters that they have there.
pub const WASI: [(&str, &str); 43] = [
    ("args_get", "ii"),
    ("args_sizes_get", "ii"),
    ("clock_res_get", "ii"),
    ("clock_time_get", "ili"),
    ("environ_get", "ii"),
    ("environ_sizes_get", "ii"),
    ("fd_advise", "illi"),
    ("fd_allocate", "ill"),
    ("fd_close", "i"),
    ("fd_datasync", "i"),
    ("fd_fdstat_get", "ii"),
    ("fd_fdstat_set_flags", "ii"),
    ("fd_fdstat_set_rights", "ill"),
    ("fd_filestat_get", "ii"),
    ("fd_filestat_set_size", "il"),
    ("fd_filestat_set_times", "illi"),
    ("fd_pread", "iiili"),
    ("fd_prestat_dir_name", "iii"),
    ("fd_prestat_get", "ii"),
    ("fd_pwrite", "iiili"),
    ("fd_read", "iiii"),
    ("fd_readdir", "iiili"),
    ("fd_renumber", "ii"),
    ("fd_seek", "ilii"),
    ("fd_sync", "i"),
    ("fd_tell", "ii"),
    ("fd_write", "iiii"),
    ("path_create_directory", "iii"),
    ("path_filestat_get", "iiiii"),
    ("path_filestat_set_times", "iiiilli"),
    ("path_link", "iiiiii"),
    ("path_open", "iiiiillii"),
    ("path_readlink", "iiiiii"),
    ("path_remove_directory", "iii"),
    ("path_rename", "iiiiii"),
    ("path_unlink_file", "iii"),
    ("poll_oneoff", "iiii"),
    ("random_get", "ii"),
    ("sched_yield", ""),
    ("sock_accept", "iii"),
    ("sock_recv", "iiiiii"),
    ("sock_send", "iiiii"),
    ("sock_shutdown", "ii"),
];

// === impl Prober ===

impl Prober {
    /// Begins a story; what follows belongs to it.
    pub fn story(&mut self, name: &'static str) -> &mut Self {
        let story = Story { name, labels: Vec::new(), with_body: false, code: String::new() };
        self.stories.push(story);
        self
    }

    /// Begins a story about a request with a body.
    pub fn story_of_a_body(&mut self, name: &'static str) -> &mut Self {
        self.story(name);
        self.stories.last_mut().expect("it has just begun").with_body = true;
        self
    }

    /// One call.
    pub fn call(&mut self, label: &str, function: &str, args: &[Arg], gives: Gives) -> &mut Self {
        let mut code = format!(
            "(i64.store (i32.const {OUT}) (i64.const 0)) (i32.store (i32.const {OUT_MORE}) (i32.const 0))\n\
             (local.set $status (call ${function}"
        );
        for arg in args {
            let _ = match *arg {
                Arg::Number(number) => write!(code, " (i32.const {number})"),
                Arg::Long(number) => write!(code, " (i64.const {number})"),
                Arg::Text(bytes) => {
                    let at = self.literal(bytes);
                    write!(code, " (i32.const {at}) (i32.const {})", bytes.len())
                }
                Arg::Out => write!(code, " (i32.const {OUT}) (i32.const {OUT_SIZE})"),
                Arg::Word => write!(code, " (i32.const {OUT})"),
                Arg::More => write!(code, " (i32.const {OUT_MORE})"),
                Arg::Stream => write!(code, " (global.get $stream)"),
            };
        }
        let (at, size) = match gives {
            Gives::Nothing => ("(i32.const 0)".to_owned(), "(i32.const 0)".to_owned()),
            Gives::Word => (format!("(i32.const {OUT})"), "(i32.const 4)".to_owned()),
            Gives::Long => (format!("(i32.const {OUT})"), "(i32.const 8)".to_owned()),
            Gives::Bytes | Gives::BytesAndMore => {
                let load = |address| format!("(i32.load (i32.const {address}))");
                (load(OUT), load(OUT_SIZE))
            }
        };
        let _ = writeln!(code, "))\n(call $note (local.get $status) {at} {size})");
        let story = self.stories.last_mut().expect("a call in a story");
        story.labels.push(label.to_owned());
        if gives == Gives::BytesAndMore {
            let note = format!("(call $note (i32.const 0) (i32.const {OUT_MORE}) (i32.const 4))\n");
            code += &note;
            story.labels.push(format!("{label}: the word behind it"));
        }
        story.code += &code;
        self
    }

    /// Which path tells story `number`.
    pub fn path(number: usize) -> String {
        format!("/{}?x=1", char::from(b'a' + u8::try_from(number).unwrap()))
    }

    pub fn stories(&self) -> &[Story] {
        &self.stories
    }

    /// The module in binary form.
    pub fn build(&mut self) -> Vec<u8> {
        let path = self.literal(b":path");
        let mut text = String::from("(module\n");
        let own = FUNCTIONS.map(|function| ("env", function));
        let wasi = WASI.map(|function| ("wasi_snapshot_preview1", function));
        for (module, (name, params)) in own.into_iter().chain(wasi) {
            let params: String =
                params.chars().map(|kind| if kind == 'l' { "i64 " } else { "i32 " }).collect();
            let _ = writeln!(
                text,
                "(import \"{module}\" \"{name}\" (func ${name} (param {params}) (result i32)))"
            );
        }
        text += FRAME;
        for (number, story) in self.stories.iter().enumerate() {
            let code = &story.code;
            let _ = writeln!(text, "(func $story{number} (local $status i32)\n{code})");
        }
        let permit = [self.literal(b"leasehold.permit"), self.literal(b"request")];
        text += &BEGIN.replace("$path", &path.to_string());
        for (number, story) in self.stories.iter().enumerate() {
            let told = match story.with_body {
                false => format!("(call $story{number}) (call $answer) (return (i32.const 1))"),
                // Past the net, so that the body comes.
                true => format!(
                    "(drop (call $proxy_set_property (i32.const {}) (i32.const 16) (i32.const {}) \
                     (i32.const 7))) (return (i32.const 0))",
                    permit[0], permit[1]
                ),
            };
            let _ = writeln!(
                text,
                "(if (i32.eq (global.get $story) (i32.const {number})) (then {told}))"
            );
        }
        text += "(i32.const 1))\n(func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32)\n";
        for number in 0..self.stories.len() {
            let _ = writeln!(
                text,
                "(if (i32.eq (global.get $story) (i32.const {number})) (then (call $story{number})))"
            );
        }
        text += "(call $answer) (i32.const 1))\n";
        text += &self.literals;
        text.push(')');
        wat::parse_str(&text).unwrap()
    }

    fn literal(&mut self, bytes: &[u8]) -> usize {
        let at = 4096 + self.next_literal;
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let _ = writeln!(self.literals, "(data (i32.const {at}) \"{escaped}\")");
        self.next_literal += bytes.len() + 1;
        at
    }
}

/// Memory, the allocator, how a note is written (status, size, bytes), and the notes as the body of a
/// local reply.
const FRAME: &str = r#"
(memory (export "memory") 64)
(global $heap (mut i32) (i32.const 2097152))
(global $stream (mut i32) (i32.const 0))
(global $story (mut i32) (i32.const -1))
(global $end (mut i32) (i32.const 1048576))
(func (export "proxy_abi_version_0_2_1"))
(func (export "proxy_on_memory_allocate") (param $size i32) (result i32) (local $at i32)
  (local.set $at (global.get $heap))
  (global.set $heap (i32.add (global.get $heap)
    (i32.and (i32.add (local.get $size) (i32.const 7)) (i32.const -8))))
  (local.get $at))
(func (export "proxy_on_context_create") (param i32 i32))
(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
(func $note (param $status i32) (param $at i32) (param $size i32)
  (i32.store8 (global.get $end) (local.get $status))
  (i32.store offset=1 (global.get $end) (local.get $size))
  (memory.copy (i32.add (global.get $end) (i32.const 5)) (local.get $at) (local.get $size))
  (global.set $end (i32.add (global.get $end) (i32.add (local.get $size) (i32.const 5)))))
(func $answer
  (drop (call $proxy_send_local_response (i32.const 200) (i32.const 0) (i32.const 0)
    (i32.const 1048576) (i32.sub (global.get $end) (i32.const 1048576))
    (i32.const 0) (i32.const 0) (i32.const -1))))
"#;

/// Which story it is to be, by the letter in the path.
const BEGIN: &str = r#"
(func (export "proxy_on_request_headers") (param $context i32) (param i32 i32) (result i32)
  (global.set $stream (local.get $context))
  (global.set $heap (i32.const 2097152)) (global.set $end (i32.const 1048576))
  (drop (call $proxy_get_header_map_value (i32.const 0) (i32.const $path) (i32.const 5)
    (i32.const 16) (i32.const 20)))
  (global.set $story
    (i32.sub (i32.load8_u (i32.add (i32.load (i32.const 16)) (i32.const 1))) (i32.const 97)))
"#;

/// The notes in an answer.
pub fn notes(mut body: &[u8]) -> Vec<Note> {
    let mut notes = Vec::new();
    while let Some((head, rest)) = body.split_first_chunk::<5>() {
        let [status, size @ ..] = *head;
        let size = usize::try_from(u32::from_le_bytes(size)).unwrap();
        let (gave, rest) = rest.split_at(size);
        notes.push(Note { status, gave: gave.to_vec() });
        body = rest;
    }
    assert!(body.is_empty(), "half a note: {body:?}");
    notes
}

/// An ABI list of pairs.
pub fn pairs(pairs: &[(&str, &str)]) -> Vec<u8> {
    let word = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
    let mut bytes = word(pairs.len()).to_vec();
    for (name, value) in pairs {
        bytes.extend(word(name.len()));
        bytes.extend(word(value.len()));
    }
    for (name, value) in pairs {
        for text in [name, value] {
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
    }
    bytes
}
