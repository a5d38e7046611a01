//! Transfer-Encoding, Content-Length and chunks, bent in every way that one server reads so and another
//! otherwise (RFC 9112 section 11.2).

use super::{Guest, in_both_postures, targets};

/// Would be a request of its own to a server that ends the body before it.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\nX: ";

/// Lines that say `chunked` to somebody; each goes beside a Content-Length.
const CODINGS: [&str; 30] = [
    "Transfer-Encoding: chunked",
    "Transfer-Encoding:chunked",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: \tchunked \t",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    " Transfer-Encoding: chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding\r\n : chunked",
    "Transfer-Encoding:\u{b}chunked",
    "Transfer-Encoding:\u{c}chunked",
    "Transfer-Encoding: chunked\u{0}",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: 'chunked'",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: cow\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
    "Transfer-Encoding: identity",
    "tRANSFER-eNCODING: cHUNKED",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding\u{a0}: chunked",
    "X: x\nTransfer-Encoding: chunked",
    "X: x\rTransfer-Encoding: chunked",
    "Content-Encoding: chunked",
    "TE: chunked\r\nConnection: TE, Transfer-Encoding, Content-Length",
];

/// What stands where a length should; `N` is the length of the whole body.
const LENGTHS: [&str; 22] = [
    "Content-Length: +N",
    "Content-Length: -N",
    "Content-Length: 0N",
    "Content-Length: 0xN",
    "Content-Length: N ",
    "Content-Length: N,N",
    "Content-Length: N, 0",
    "Content-Length: 0, N",
    "Content-Length: 0\r\nContent-Length: N",
    "Content-Length: N\r\nContent-Length: 0",
    "Content-Length: N.0",
    "Content-Length: Ne0",
    "Content-Length: N_0",
    "Content-Length: \u{b}N",
    "Content-Length: N\u{0}",
    "Content-Length:\r\n N",
    "Content-Length : N",
    "Content_Length: N",
    "Content-Length: 18446744073709551616",
    "Content-Length: 4294967296",
    "Content-Length:",
    "Content-Length: \"N\"",
];

/// Chunked bodies that end in more than one place.
const CHUNKS: [&str; 24] = [
    "0\r\n\r\n",
    "0\n\n",
    "0\r\r",
    "\r\n0\r\n\r\n",
    "00000000000000000\r\n\r\n",
    "0x0\r\n\r\n",
    "-0\r\n\r\n",
    "+0\r\n\r\n",
    "0 \r\n\r\n",
    " 0\r\n\r\n",
    "0;a=b\r\n\r\n",
    "0;a=\"\r\n\"\r\n\r\n",
    "0;\n\r\n\r\n",
    "0;a\rb\r\n\r\n",
    "1\r\nA0\r\n\r\n",
    "1\r\nA\n0\r\n\r\n",
    "1\nA\r\n0\r\n\r\n",
    "2\r\nA\r\n0\r\n\r\n",
    "10000000000000001\r\nA\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nA\r\n0\r\n\r\n",
    "g\r\nA\r\n0\r\n\r\n",
    "0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "0\r\nAuthorization: Bearer mine\r\nContent-Length: 5\r\n\r\n",
    "0\r\n : x\r\n\r\n",
];

#[test]
fn no_framing_smuggles_a_request_or_moves_an_answer() {
    in_both_postures(|scene, is_explicit| {
        let guest = Guest::new(scene, is_explicit);
        let mut honest = Guest::new(scene, is_explicit);
        let mutations = mutations(&guest.headers());
        for (number, mutation) in mutations.iter().enumerate() {
            guest.pour(mutation);
            // An upstream connection out of step would answer this with what was smuggled.
            honest.is_served(&format!("/v1/honest/{number}"), mutation);
        }
        let strangers: Vec<_> = targets(scene)
            .into_iter()
            .filter(|target| target != "/v1/messages" && !target.starts_with("/v1/honest/"))
            .collect();
        assert!(strangers.is_empty(), "{strangers:?}");
        println!("{} mutations", mutations.len());
    });
}

fn mutations(headers: &str) -> Vec<Vec<u8>> {
    let post = |lines: &str, body: &str| {
        format!("POST /v1/messages HTTP/1.1\r\n{headers}{lines}\r\n\r\n{body}").into_bytes()
    };
    let mut all = Vec::new();
    for coding in CODINGS {
        // Who reads the length passes on what who reads the chunks takes for a request.
        let body = format!("0\r\n\r\n{SMUGGLED}");
        let length = format!("Content-Length: {}", body.len());
        all.push(post(&format!("{length}\r\n{coding}"), &body));
        all.push(post(&format!("{coding}\r\n{length}"), &body));
        // And the other way round.
        let chunk = format!("{:x}\r\n{SMUGGLED}\r\n0\r\n\r\n", SMUGGLED.len());
        all.push(post(&format!("Content-Length: 4\r\n{coding}"), &chunk));
        all.push(post(coding, &chunk));
    }
    for length in LENGTHS {
        let body = format!("12345{SMUGGLED}");
        all.push(post(&length.replace('N', &body.len().to_string()), &body));
        all.push(post(&length.replace('N', "5"), &body));
    }
    for chunks in CHUNKS {
        all.push(post("Transfer-Encoding: chunked", &format!("{chunks}{SMUGGLED}")));
    }
    all
}
