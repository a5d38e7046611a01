//! A DNS server for names that exist only here.
//!
//! Envoy resolves with c-ares, which looks at neither `/etc/hosts` nor anything else we could set
//! per stack; it is pointed at this server instead. It answers A and AAAA queries for a name it was
//! given with the addresses of that name, in their order, any other type for such a name with an
//! empty answer (so that c-ares does not wait), and every other name with NXDOMAIN. UDP alone is
//! enough: no answer comes near 512 bytes.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use hickory_proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{DNSClass, RData, Record, RecordType};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// Seconds an answer may be kept. Short, so that a name that moves is seen to move.
const TTL: u32 = 1;
/// The largest query without EDNS is 512 bytes, with EDNS what c-ares announces (1232).
const LARGEST_QUERY: usize = 4096;

/// A DNS server on loopback; it ends when it is dropped.
pub struct Dns {
    address: SocketAddr,
    zone: Arc<Zone>,
    serving: JoinHandle<()>,
}

/// What the server knows and what it was asked.
struct Zone {
    /// Lower-case, without the trailing dot.
    names: Mutex<HashMap<String, Vec<IpAddr>>>,
    asked: Mutex<HashSet<String>>,
}

// === impl Dns ===

impl Dns {
    /// Serves `names`, every one of which resolves to `to`, on a free port of `on`.
    ///
    /// # Errors
    /// No socket to be had.
    pub fn start(
        runtime: &Handle,
        on: IpAddr,
        names: impl IntoIterator<Item = String>,
        to: Ipv4Addr,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind((on, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let names = names.into_iter().map(|name| (canonical(&name), vec![to.into()])).collect();
        let zone = Arc::new(Zone { names: Mutex::new(names), asked: Mutex::default() });
        let _inside = runtime.enter();
        let socket = tokio::net::UdpSocket::from_std(socket)?;
        let serving = runtime.spawn(serve(socket, Arc::clone(&zone)));
        Ok(Self { address, zone, serving })
    }

    /// Where the server listens (UDP).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From the next query on, `name` has these addresses.
    pub fn resolve(&self, name: &str, addresses: &[IpAddr]) {
        let mut names = self.zone.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.insert(canonical(name), addresses.to_vec());
    }

    /// Every name asked for so far, lower-case and without the trailing dot.
    pub fn asked(&self) -> HashSet<String> {
        self.zone.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

// === impl Zone ===

impl Zone {
    /// The reply to `query`; `None` for what deserves no reply (not a query at all).
    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let query = Message::from_vec(query).ok()?;
        if query.metadata.message_type != MessageType::Query {
            return None;
        }
        let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
        reply.metadata.recursion_desired = query.metadata.recursion_desired;
        reply.metadata.recursion_available = true;
        reply.metadata.authoritative = true;
        reply.add_queries(query.queries.iter().cloned());
        reply.metadata.response_code = self.fill(&query, &mut reply);
        reply.to_vec().ok()
    }

    fn fill(&self, query: &Message, reply: &mut Message) -> ResponseCode {
        if query.metadata.op_code != OpCode::Query {
            return ResponseCode::NotImp;
        }
        let [question] = query.queries.as_slice() else { return ResponseCode::FormErr };
        if question.query_class() != DNSClass::IN {
            return ResponseCode::Refused;
        }
        let name = canonical(&question.name().to_ascii());
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone());
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(addresses) = names.get(&name) else { return ResponseCode::NXDomain };
        for address in addresses {
            let data = match (question.query_type(), address) {
                (RecordType::A, IpAddr::V4(address)) => RData::A(A(*address)),
                (RecordType::AAAA, IpAddr::V6(address)) => RData::AAAA(AAAA(*address)),
                _ => continue,
            };
            reply.add_answer(Record::from_rdata(question.name().clone(), TTL, data));
        }
        ResponseCode::NoError
    }
}

fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

async fn serve(socket: tokio::net::UdpSocket, zone: Arc<Zone>) {
    let mut buffer = vec![0; LARGEST_QUERY];
    loop {
        // An ICMP error of an earlier reply surfaces here; it concerns nobody else.
        let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
        if let Some(reply) = buffer.get(..length).and_then(|query| zone.answer(query)) {
            let _ = socket.send_to(&reply, from).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::Query;
    use hickory_proto::rr::Name;

    use super::*;

    fn ask(name: &str, record: RecordType) -> Message {
        let zone = Zone {
            names: Mutex::new(HashMap::from([(
                "api.demo.test".to_owned(),
                vec![Ipv4Addr::LOCALHOST.into()],
            )])),
            asked: Mutex::default(),
        };
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii(name).unwrap(), record));
        let reply = Message::from_vec(&zone.answer(&query.to_vec().unwrap()).unwrap()).unwrap();
        assert_eq!(reply.metadata.id, query.metadata.id);
        assert!(zone.asked.lock().unwrap().contains(&canonical(name)));
        reply
    }

    #[test]
    fn a_known_name_has_an_address_in_any_case() {
        let reply = ask("API.demo.test.", RecordType::A);
        assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
        let addresses: Vec<_> = reply.answers.iter().map(|answer| answer.data.clone()).collect();
        assert_eq!(addresses, [RData::A(A(Ipv4Addr::LOCALHOST))]);
    }

    #[test]
    fn a_known_name_has_no_ipv6_address_and_still_exists() {
        let reply = ask("api.demo.test.", RecordType::AAAA);
        assert_eq!(reply.metadata.response_code, ResponseCode::NoError);
        assert!(reply.answers.is_empty());
    }

    #[test]
    fn other_names_do_not_exist() {
        for name in ["demo.test.", "x.api.demo.test.", "api.demo.test.example."] {
            assert_eq!(ask(name, RecordType::A).metadata.response_code, ResponseCode::NXDomain);
        }
    }

    #[test]
    fn a_reply_or_rubbish_gets_no_answer() {
        let zone = Zone { names: Mutex::default(), asked: Mutex::default() };
        assert_eq!(zone.answer(b"rubbish"), None);
        let reply = Message::response(7, OpCode::Query).to_vec().unwrap();
        assert_eq!(zone.answer(&reply), None);
    }

    #[test]
    fn it_answers_over_udp() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let names = ["api.demo.test".to_owned()];
        let dns = Dns::start(runtime.handle(), local, names, Ipv4Addr::LOCALHOST).unwrap();
        let socket = UdpSocket::bind((local, 0)).unwrap();
        socket.connect(dns.address()).unwrap();
        let mut query = Message::query();
        query.add_query(Query::query(Name::from_ascii("api.demo.test.").unwrap(), RecordType::A));
        socket.send(&query.to_vec().unwrap()).unwrap();
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        assert_eq!(Message::from_vec(&buffer[..length]).unwrap().answers.len(), 1);
        assert_eq!(dns.asked(), HashSet::from(["api.demo.test".to_owned()]));
    }
}
