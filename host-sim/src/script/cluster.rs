//! A cluster the guest can call.

use super::{Answer, CalloutRequest, GrpcAnswer, GrpcRequest};
use std::collections::{HashMap, VecDeque};
use std::fmt;

/// Decides on an answer when it is asked.
type Responder = Box<dyn FnMut(&CalloutRequest) -> Answer>;
/// Is a request to this path answered apart?
type PathFilter = fn(&str) -> bool;

/// What a cluster of the simulated Envoy answers.
#[derive(Default)]
pub struct Cluster {
    scripted: VecDeque<Answer>,
    responder: Option<Responder>,
    answering_apart: Option<(PathFilter, Responder)>,
    grpc: VecDeque<GrpcAnswer>,
    /// Everything it was asked.
    pub(crate) asked: Vec<CalloutRequest>,
    /// Everything that was answered apart.
    pub(crate) asked_apart: Vec<CalloutRequest>,
    pub(crate) grpc_asked: Vec<GrpcRequest>,
}

/// By name. A name that is not here is an unknown cluster.
#[derive(Debug, Default)]
pub(crate) struct Clusters(HashMap<String, Cluster>);

// === impl Cluster ===

impl Cluster {
    /// Answers nothing, ever, until told otherwise.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers in turn; after the last of them, nothing.
    pub fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { scripted: answers.into_iter().collect(), ..Self::default() }
    }

    pub fn answering_with(responder: impl FnMut(&CalloutRequest) -> Answer + 'static) -> Self {
        Self { responder: Some(Box::new(responder)), ..Self::default() }
    }

    /// Answers requests to these paths apart from all others, and does not count them among what it was
    /// asked.
    #[must_use]
    pub fn answering_apart(
        mut self,
        paths: fn(&str) -> bool,
        responder: impl FnMut(&CalloutRequest) -> Answer + 'static,
    ) -> Self {
        self.answering_apart = Some((paths, Box::new(responder)));
        self
    }

    /// Adds an answer for the next gRPC call or stream.
    #[must_use]
    pub fn grpc(mut self, answer: GrpcAnswer) -> Self {
        self.grpc.push_back(answer);
        self
    }

    pub(crate) fn answer(&mut self, request: CalloutRequest) -> Answer {
        if let Some((paths, responder)) = &mut self.answering_apart
            && request.message.headers.text(":path").is_some_and(|path| paths(&path))
        {
            let answer = responder(&request);
            self.asked_apart.push(request);
            return answer;
        }
        let answer = self.scripted.pop_front().or_else(|| {
            let responder = self.responder.as_mut()?;
            Some(responder(&request))
        });
        let answer = answer.unwrap_or(Answer::Never);
        // Where there is nobody healthy, nobody is asked.
        if answer != Answer::NoHealthyUpstream {
            self.asked.push(request);
        }
        answer
    }

    pub(crate) fn grpc_answer(&mut self, request: GrpcRequest) -> Option<GrpcAnswer> {
        self.grpc_asked.push(request);
        self.grpc.pop_front()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("scripted", &self.scripted)
            .field("asked", &self.asked.len())
            .finish_non_exhaustive()
    }
}

// === impl Clusters ===

impl Clusters {
    pub fn insert(&mut self, name: &str, cluster: Cluster) {
        self.0.insert(name.to_owned(), cluster);
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Cluster> {
        self.0.get_mut(name)
    }

    pub fn get(&self, name: &str) -> Option<&Cluster> {
        self.0.get(name)
    }
}
