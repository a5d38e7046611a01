//! Custody's answers as a case scripts them, given by a custody on a socket.

use std::collections::VecDeque;

use anyhow::{Context, Result, bail};
use host_sim::cases::{Case, CaseFile, CustodyAnswer, CustodyScript, Template};
use stack::envoy::CustodyCluster;
use stack::{Answer, Stack};

/// What custody is still to answer.
#[derive(Default)]
pub struct Answers(VecDeque<CustodyAnswer>);

/// What Envoy must know of custody for a case.
pub fn cluster_for(file: &CaseFile, case: &Case) -> CustodyCluster {
    let steps = case.steps();
    let mut scripts =
        steps.iter().enumerate().filter_map(|(n, step)| case.custody_in(file, n, step));
    let nobody = |answer: &CustodyAnswer| matches!(answer, CustodyAnswer::NoHealthyUpstream {});
    let kind = |script: &CustodyScript| match script {
        CustodyScript::Absent => CustodyCluster::Absent,
        CustodyScript::Answers(answers) if answers.iter().any(nobody) => CustodyCluster::Empty,
        CustodyScript::Answers(_) => CustodyCluster::Shipped,
    };
    let first = scripts.next().map(kind).unwrap_or_default();
    assert!(scripts.all(|script| kind(script) == first), "{}: custody cannot change so", case.name);
    first
}

// === impl Answers ===

impl Answers {
    /// A new script, where there is one.
    pub fn follow(&mut self, script: Option<&CustodyScript>) {
        match script {
            Some(CustodyScript::Answers(answers)) => self.0 = answers.iter().cloned().collect(),
            Some(CustodyScript::Absent) => self.0.clear(),
            None => {}
        }
    }

    /// Has the stack's custody give them: the next one to everybody, or, to requests at once, one each.
    ///
    /// # Errors
    /// The case cannot be played on sockets.
    pub fn set(&self, stack: &mut Stack, template: &Template, alone: bool) -> Result<()> {
        if alone && self.unreachable() {
            stack.kill_custody();
            return Ok(());
        }
        let mut answers = self.0.iter().map(|answer| on_a_socket(answer, template));
        if alone {
            stack.fake_custody(answers.next().unwrap_or(Ok(Answer::Stall))?)?;
        } else {
            let in_turn = answers.collect::<Result<_>>()?;
            stack.fake_custody(Answer::Stall)?.in_turn(in_turn);
        }
        Ok(())
    }

    /// Whether a callout now finds nobody, so that only the filter can tell of it.
    pub fn unreachable(&self) -> bool {
        matches!(self.0.front(), Some(CustodyAnswer::ConnectFailure {}))
    }

    /// So many answers have been given.
    pub fn given(&mut self, count: usize) {
        self.0.drain(..count.min(self.0.len()));
    }
}

fn on_a_socket(answer: &CustodyAnswer, template: &Template) -> Result<Answer> {
    match answer {
        CustodyAnswer::Reset {} => return Ok(Answer::Cut(b"{".to_vec())),
        CustodyAnswer::Silence {} | CustodyAnswer::NoHealthyUpstream {} => {
            return Ok(Answer::Stall);
        }
        _ => {}
    }
    let filled = answer.fill(template).map_err(anyhow::Error::msg)?;
    let host_sim::Answer::Response { response, delay } = filled else {
        bail!("{answer:?} is not to be had from a socket")
    };
    let status = response.headers.text(":status").context("an answer without status")?;
    Ok(Answer::text(status.parse()?, "application/json", response.body).after(delay))
}
