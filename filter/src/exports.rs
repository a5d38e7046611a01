//! The callbacks: what Envoy calls, passed on to the [`Dispatch`].
//!
//! Envoy skips a callback that a module does not export, so this file has only those that the
//! filter needs: of a response its headers, no log. Contexts are numbers of the host's.
#![allow(unsafe_code)]

use crate::dispatch::Dispatch;
use crate::flow::Flow;
use std::alloc::{Layout, alloc};
use std::cell::RefCell;
use std::ptr::null_mut;

thread_local! {
    static DISPATCH: RefCell<Dispatch> = const { RefCell::new(Dispatch::new()) };
}

/// Envoy never calls back before a host call has returned; were it to, `otherwise` is the answer.
fn dispatch<T>(otherwise: T, event: impl FnOnce(&mut Dispatch) -> T) -> T {
    DISPATCH.with(|dispatch| match dispatch.try_borrow_mut() {
        Ok(mut dispatch) => event(&mut dispatch),
        Err(_) => {
            log::error!("leasehold: ignored a re-entrant host callback");
            otherwise
        }
    })
}

#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Memory for a value of the host; [`host`](crate::host) takes it as a `Vec` of this very size.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    match Layout::array::<u8>(size) {
        // SAFETY: the layout's size is not zero.
        Ok(layout) if size > 0 => unsafe { alloc(layout) },
        _ => null_mut(),
    }
}

/// `root` is 0 for a root context itself.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, root: u32) {
    dispatch((), |dispatch| dispatch.create(context, root));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> bool {
    dispatch(false, |dispatch| dispatch.configure(root, size))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    dispatch((), |dispatch| dispatch.tick(root));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(stream: u32, _: usize, end: bool) -> Flow {
    dispatch(Flow::Stop, |dispatch| dispatch.request_headers(stream, end))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_body(stream: u32, size: usize, end: bool) -> Flow {
    dispatch(Flow::StopIteration, |dispatch| dispatch.request_body(stream, size, end))
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_trailers(stream: u32, _: usize) -> Flow {
    dispatch(Flow::StopIteration, |dispatch| dispatch.request_trailers(stream))
}

/// Responses always pass: a denial ends a request before there is one.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(stream: u32, _: usize, _: bool) -> Flow {
    dispatch((), |dispatch| dispatch.response_headers(stream));
    Flow::Continue
}

/// Comes to the root that made the callout. Without a response, `headers` is 0.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    _: u32,
    token: u32,
    headers: usize,
    body: usize,
    _: usize,
) {
    dispatch((), |dispatch| dispatch.answered(token, headers, body));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    dispatch((), |dispatch| dispatch.delete(context));
}
