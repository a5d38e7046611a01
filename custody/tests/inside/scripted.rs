//! Sources that do what the test says.

use custody_backends::{BackendFault, CredentialBackend, CredentialRequest, Restriction};
use custody_base::actor::Actor;
use custody_base::credential::{Credential, Resolved};
use lease::{Handle, Secret};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::Semaphore;

/// What a source does when it is asked; without one it gives `value-N`.
pub enum Step {
    Fail(BackendFault),
    Panic,
    Text(&'static str),
    /// A value that ends then.
    Ends(u64),
    Scope(&'static [&'static str]),
    /// Waits for a permit, then gives. The first tells that it began.
    Wait(Arc<Semaphore>, Arc<Semaphore>),
}

/// What a source was asked.
#[derive(Debug, Clone)]
pub struct Question {
    pub place: usize,
    pub actor: String,
    pub handle: String,
    pub destination: Option<String>,
    pub restriction: Restriction,
    pub until: u64,
}

/// One backend of the script.
pub struct Place {
    pub number: usize,
    pub script: Arc<Scripted>,
}

#[derive(Default)]
pub struct Scripted {
    pub steps: Mutex<VecDeque<Step>>,
    pub asked: Mutex<Vec<Question>>,
    pub revoked: Mutex<Vec<String>>,
    /// The handles whose kept credentials were dropped.
    pub forgotten: Mutex<Vec<String>>,
}

impl Scripted {
    pub fn then(&self, step: Step) {
        self.steps.lock().unwrap().push_back(step);
    }

    /// The next one asked waits: (it began, it may go on).
    pub fn then_wait(&self) -> (Arc<Semaphore>, Arc<Semaphore>) {
        let (began, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        self.then(Step::Wait(Arc::clone(&began), Arc::clone(&go)));
        (began, go)
    }

    pub fn times(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub fn places_asked(&self) -> Vec<usize> {
        self.asked.lock().unwrap().iter().map(|question| question.place).collect()
    }
}

#[async_trait::async_trait]
impl CredentialBackend for Place {
    fn name(&self) -> &str {
        ["place-0", "place-1"][self.number]
    }

    fn is_capable(&self, _: &CredentialRequest<'_>) -> bool {
        true
    }

    async fn resolve(&self, asked: &CredentialRequest<'_>) -> Result<Resolved, BackendFault> {
        let Self { number: place, script } = self;
        let number = {
            let mut all = script.asked.lock().unwrap();
            all.push(Question {
                place: *place,
                actor: asked.actor.to_string(),
                handle: asked.handle.to_string(),
                destination: asked.destination.map(ToString::to_string),
                restriction: asked.restriction.clone(),
                until: asked.until,
            });
            all.len()
        };
        let mut found = Resolved {
            credential: Credential::Bearer { token: Secret::new(format!("value-{number}")) },
            target: None,
            scope: Vec::new(),
            expires_at: None,
            revocation: Some(format!("revocation-{number}")),
            made_from: Vec::new(),
        };
        let step = script.steps.lock().unwrap().pop_front();
        match step {
            None => {}
            Some(Step::Fail(fault)) => return Err(fault),
            Some(Step::Panic) => panic!("secret-canary"),
            Some(Step::Text(text)) => {
                found.credential = Credential::Bearer { token: Secret::new(text) };
            }
            Some(Step::Ends(at)) => found.expires_at = Some(at),
            Some(Step::Scope(scope)) => {
                found.scope = scope.iter().map(ToString::to_string).collect();
            }
            Some(Step::Wait(began, go)) => {
                began.add_permits(1);
                go.acquire().await.unwrap().forget();
            }
        }
        Ok(found)
    }

    async fn revoke(&self, revocation: &str) {
        self.script.revoked.lock().unwrap().push(revocation.to_owned());
    }

    fn forget(&self, _: &Actor, handle: &Handle) {
        self.script.forgotten.lock().unwrap().push(handle.to_string());
    }
}
