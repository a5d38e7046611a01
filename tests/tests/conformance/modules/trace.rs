//! The calls of one worker's VM, from Envoy's log at level trace.

/// Callbacks that come by the clock, and the allocator, which each host calls as it likes.
const NOT_COMPARED: [&str; 3] = ["proxy_on_tick", "malloc", "proxy_on_memory_allocate"];

const CONFIGURES: &str = "[host->vm] proxy_on_configure(";

/// What a worker's VM did.
#[derive(Debug, Default)]
pub struct Trace {
    pub calls: Vec<String>,
    pub log: Vec<String>,
    /// Within a callback that is not compared.
    apart: Option<String>,
}

/// How often the plugin was configured: on the main thread, and on others.
pub fn starts(log: &str) -> [usize; 2] {
    let lines: Vec<_> = log.lines().filter_map(line).collect();
    let main = lines.first().map(|(thread, _)| *thread);
    let mut starts = [0; 2];
    for (thread, _) in lines.iter().filter(|(_, message)| message.starts_with(CONFIGURES)) {
        starts[usize::from(Some(*thread) != main)] += 1;
    }
    starts
}

/// What the first thread but the main one did.
pub fn of_worker(log: &str) -> Trace {
    let mut lines = log.lines().filter_map(line);
    let main = lines.next().map(|(thread, _)| thread.to_owned());
    let others = lines.filter(|(thread, _)| Some(*thread) != main.as_deref());
    let mut trace = Trace::default();
    others.for_each(|(_, message)| trace.read(message));
    trace
}

/// Thread and message of a line about WebAssembly.
fn line(line: &str) -> Option<(&str, &str)> {
    let (head, message) = line.split_once("][wasm] [")?;
    let thread = head.split("][").nth(1)?;
    Some((thread, message.split_once("] ")?.1))
}

// === impl Trace ===

impl Trace {
    fn read(&mut self, message: &str) {
        if let Some(call) = message.strip_prefix("[host->vm] ") {
            self.begin(call);
        } else if let Some(returned) = message.strip_prefix("[host<-vm] ") {
            self.end(returned);
        } else if let Some(returned) = message.strip_prefix("[vm<-host] ") {
            let (function, status) = returned.split_once(" return: ").unwrap_or((returned, ""));
            let function = function.rsplit('.').next().unwrap_or(function);
            self.note(format!("  {function} = {status}"));
        } else if let Some((_, failed)) = message.split_once("Function: ") {
            let function = failed.split(' ').next().unwrap_or_default().to_owned();
            self.apart = self.apart.take().filter(|apart| *apart != function);
            self.note(format!("failed {function}"));
        } else if let Some((_, text)) = message.split_once("wasm log") {
            let text = text.split_once(": ").map_or(text, |(_, text)| text).to_owned();
            self.log.push(text);
        }
    }

    fn begin(&mut self, call: &str) {
        let name = call.split('(').next().unwrap_or(call);
        if self.apart.is_none() && NOT_COMPARED.contains(&name) {
            self.apart = Some(name.to_owned());
        } else if name.starts_with("proxy_on_") {
            self.note(call.to_owned());
        }
    }

    fn end(&mut self, returned: &str) {
        let (name, value) = returned.split_once(" return: ").unwrap_or((returned, ""));
        if self.apart.as_deref() == Some(name) {
            self.apart = None;
        } else if name.starts_with("proxy_on_") {
            self.note(format!("{name} returns {value}"));
        }
    }

    fn note(&mut self, call: String) {
        if self.apart.is_none() {
            self.calls.push(call);
        }
    }
}

// === of host-sim ===

/// The same of a transcript of host-sim with one worker.
pub fn starts_in(transcript: &host_sim::Transcript, worker: usize) -> [usize; 2] {
    let mut starts = [0; 2];
    for entry in transcript.entries() {
        let name = "proxy_on_configure";
        if matches!(&entry.what, host_sim::TranscriptEvent::Callback { name: own, .. } if *own == name)
        {
            starts[usize::from(entry.vm == worker)] += 1;
        }
    }
    starts
}

/// The same of a transcript of host-sim.
pub fn of_transcript(transcript: &host_sim::Transcript, vm: usize) -> Trace {
    use host_sim::{Returned, TranscriptEvent};
    let mut trace = Trace::default();
    for entry in transcript.entries().iter().filter(|entry| entry.vm == vm) {
        match &entry.what {
            TranscriptEvent::Callback { name, context, args } => {
                let args = args.iter().map(|arg| format!(", {arg}")).collect::<String>();
                trace.begin(&format!("{name}({context}{args})"));
            }
            TranscriptEvent::Returned { name, value, .. } => {
                let value = value.map_or("void".to_owned(), |value| value.to_string());
                trace.end(&format!("{name} return: {value}"));
            }
            TranscriptEvent::HostCall { function, status, .. } => {
                let status = match status {
                    Returned::Status(status) => status.code(),
                    Returned::Errno(errno) => *errno,
                };
                trace.note(format!("  {function} = {status}"));
            }
            TranscriptEvent::VmFailed { failure } => {
                trace.apart = trace.apart.take().filter(|apart| apart != failure.callback);
                trace.note(format!("failed {}", failure.callback));
            }
            TranscriptEvent::Log { message, .. } => {
                // Of a text of several lines Envoy's log has a line each, and only the first says whose it is.
                trace.log.extend(message.split('\n').next().map(str::to_owned));
            }
            _ => {}
        }
    }
    trace
}
