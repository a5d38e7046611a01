//! Whoever sits on custody's port: the real one, a scripted one, or nobody.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::child::Running;
use crate::custody::CustodyHome;
use crate::fake_custody::{Answer, FakeCustody};

/// Custody's port, which stays the same whoever sits there.
pub struct Seat {
    home: CustodyHome,
    log: PathBuf,
    sitting: Sitting,
}

enum Sitting {
    Nobody,
    Real(Running),
    Fake(FakeCustody),
}

// === impl Seat ===

impl Seat {
    /// Starts the real custody.
    ///
    /// # Errors
    /// It does not come up.
    pub fn real(home: CustodyHome, log: PathBuf) -> Result<Self> {
        let mut seat = Self { home, log, sitting: Sitting::Nobody };
        seat.start()?;
        Ok(seat)
    }

    pub fn home(&self) -> &CustodyHome {
        &self.home
    }

    /// Puts the real custody back; whoever sits there goes first.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start(&mut self) -> Result<()> {
        self.sitting = Sitting::Nobody;
        self.sitting = Sitting::Real(self.home.serve(&self.log)?);
        Ok(())
    }

    /// Ends whoever sits there in an orderly way.
    pub fn stop(&mut self) {
        if let Sitting::Real(running) = std::mem::replace(&mut self.sitting, Sitting::Nobody) {
            running.stop();
        }
    }

    /// Ends whoever sits there as a crash would.
    pub fn kill(&mut self) {
        self.sitting = Sitting::Nobody;
    }

    /// Puts a scripted custody on the port; whoever sits there goes first.
    ///
    /// # Errors
    /// The port or the certificate cannot be had.
    pub fn fake(&mut self, runtime: &Handle, answer: Answer) -> Result<&FakeCustody> {
        if !matches!(self.sitting, Sitting::Fake(_)) {
            self.stop();
            let [certificate, key] = self.home.server_certificate()?;
            let fake =
                FakeCustody::start(runtime, self.home.edge(), &certificate, &key, answer.clone())?;
            self.sitting = Sitting::Fake(fake);
        }
        let fake = self.scripted().context("nobody sits on custody's port")?;
        fake.answer(answer);
        Ok(fake)
    }

    /// The scripted one, if that is who sits there.
    pub fn scripted(&self) -> Option<&FakeCustody> {
        match &self.sitting {
            Sitting::Fake(fake) => Some(fake),
            Sitting::Nobody | Sitting::Real(_) => None,
        }
    }

    /// What the scripted one was asked, if that is who sits there.
    pub fn asked(&self) -> Vec<Value> {
        self.scripted().map(FakeCustody::asked).unwrap_or_default()
    }

    /// What the scripted one was told of sessions and outcomes, if that is who sits there.
    pub fn told(&self) -> Vec<(String, Value)> {
        match &self.sitting {
            Sitting::Fake(fake) => fake.told(),
            Sitting::Nobody | Sitting::Real(_) => Vec::new(),
        }
    }

    /// The real custody's process id, if it is the one that sits there.
    pub fn pid(&self) -> Option<u32> {
        match &self.sitting {
            Sitting::Real(running) => Some(running.pid()),
            Sitting::Nobody | Sitting::Fake(_) => None,
        }
    }
}
