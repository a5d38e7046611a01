//! What is written for people is true: every command is run or has a reason why not, every
//! configuration is loaded by what it is for, every link leads somewhere, every page is in
//! the index and in the book, and the English keeps its rules.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod blocks;
mod book;
mod clone;
mod comments;
mod english;
mod known;
mod links;
mod loaded;
mod prose;
mod shell;
mod walks;
mod world;
