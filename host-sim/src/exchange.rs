//! What happens to streams: how they move through a filter, and how they end.

mod answers;
mod ending;
mod pump;
mod reply;
mod tcp;
