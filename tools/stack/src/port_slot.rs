//! Whoever sits on custody's port: the real one, a scripted one, or nobody.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::child::Running;
use crate::custody::CustodyHome;
use crate::fake_custody::{Answer, FakeCustody};

/// Custody's port, which stays the same whoever sits there.
pub struct PortSlot {
    home: CustodyHome,
    log: PathBuf,
    occupant: SlotOccupant,
}

enum SlotOccupant {
    Nobody,
    Real(Running),
    Fake(FakeCustody),
}

// === impl PortSlot ===

impl PortSlot {
    /// Starts the real custody.
    ///
    /// # Errors
    /// It does not come up.
    pub fn real(home: CustodyHome, log: PathBuf) -> Result<Self> {
        let mut port_slot = Self { home, log, occupant: SlotOccupant::Nobody };
        port_slot.start()?;
        Ok(port_slot)
    }

    pub fn home(&self) -> &CustodyHome {
        &self.home
    }

    /// Puts the real custody back; whoever sits there goes first.
    ///
    /// # Errors
    /// It does not come up.
    pub fn start(&mut self) -> Result<()> {
        self.occupant = SlotOccupant::Nobody;
        self.occupant = SlotOccupant::Real(self.home.serve(&self.log)?);
        Ok(())
    }

    /// Ends whoever sits there in an orderly way.
    pub fn stop(&mut self) {
        if let SlotOccupant::Real(running) =
            std::mem::replace(&mut self.occupant, SlotOccupant::Nobody)
        {
            running.stop();
        }
    }

    /// Ends whoever sits there as a crash would.
    pub fn kill(&mut self) {
        self.occupant = SlotOccupant::Nobody;
    }

    /// Puts a scripted custody on the port; whoever sits there goes first.
    ///
    /// # Errors
    /// The port or the certificate cannot be had.
    pub fn fake(&mut self, runtime: &Handle, answer: Answer) -> Result<&FakeCustody> {
        if !matches!(self.occupant, SlotOccupant::Fake(_)) {
            self.stop();
            let [certificate, key] = self.home.server_certificate()?;
            let fake =
                FakeCustody::start(runtime, self.home.edge(), &certificate, &key, answer.clone())?;
            self.occupant = SlotOccupant::Fake(fake);
        }
        let fake = self.scripted().context("nobody sits on custody's port")?;
        fake.answer(answer);
        Ok(fake)
    }

    /// The scripted one, if that is who sits there.
    pub fn scripted(&self) -> Option<&FakeCustody> {
        match &self.occupant {
            SlotOccupant::Fake(fake) => Some(fake),
            SlotOccupant::Nobody | SlotOccupant::Real(_) => None,
        }
    }

    /// What the scripted one was asked, if that is who sits there.
    pub fn asked(&self) -> Vec<Value> {
        self.scripted().map(FakeCustody::asked).unwrap_or_default()
    }

    /// What the scripted one was told of sessions and outcomes, if that is who sits there.
    pub fn reports(&self) -> Vec<(String, Value)> {
        match &self.occupant {
            SlotOccupant::Fake(fake) => fake.reports(),
            SlotOccupant::Nobody | SlotOccupant::Real(_) => Vec::new(),
        }
    }

    /// The real custody's process id, if it is the one that sits there.
    pub fn pid(&self) -> Option<u32> {
        match &self.occupant {
            SlotOccupant::Real(running) => Some(running.pid()),
            SlotOccupant::Nobody | SlotOccupant::Fake(_) => None,
        }
    }
}
