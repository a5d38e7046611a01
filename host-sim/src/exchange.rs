//! What happens to streams: how they move through a filter, and how they end.

mod answers;
mod pump;
mod reply;
mod stream_end;
mod tcp;
