//! What came back, whichever protocol it came by.

use serde_json::Value;

/// A whole response.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case, in order, repeated as often as they came.
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
}

// === impl Reply ===

impl Reply {
    /// Every value under `name` (lower case).
    pub fn all(&self, name: &str) -> Vec<String> {
        let own = self.headers.iter().filter(|(own, _)| own == name);
        own.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// The first value under `name` (lower case).
    pub fn header(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }

    /// The reason the edge gives; no origin can say this header through the edge.
    pub fn reason(&self) -> Option<String> {
        self.header("x-deny-reason")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}
