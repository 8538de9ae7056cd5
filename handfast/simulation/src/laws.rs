//! What has to hold in every run, watched while it goes on and judged at its end.
//!
//! A law hears what a peer was asked for, what left its machine, and what its program could tell; it never looks into a
//! peer, except where the peer shows the same to its operator.

mod durable;
mod encrypted_once;
pub mod equivocation;
mod messages;
mod reference;
mod sessions;
mod tasks;
mod tokens;

use entity_peer::{Command, CommandId};
use entity_wire::id::TaskId;

use crate::history::Happened;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::world::{Broken, World};
use durable::Durable;
use encrypted_once::EncryptedOnce;
use equivocation::{Equivocation, Lie};
use messages::Messages;
use reference::Asked;
use sessions::Sessions;
use tasks::Tasks;
use tokens::Tokens;

/// Something that a peer is asked for in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A volatile message.
    Message {
        /// To whom.
        to: usize,
        /// What tells it from all others of the run.
        mark: u64,
    },
    /// A durable message.
    Durable {
        /// To whom.
        to: usize,
        /// What tells it from all others of the run.
        mark: u64,
    },
    /// A task for a peer, which ends it as soon as it hears of it.
    Task {
        /// For whom.
        to: usize,
        /// What tells it from all others of the run.
        mark: u64,
    },
    /// The end of a task.
    Complete {
        /// Which.
        id: TaskId,
        /// Who delegated it.
        from: usize,
    },
    /// Takes part in the ledger of the run.
    OpenLedger,
    /// A payment.
    Pay {
        /// To whom.
        to: usize,
        /// What tells it from all others of the run.
        mark: u64,
        /// How much.
        units: u64,
    },
    /// A message that has to get through, because everything has healed.
    Probe {
        /// To whom.
        to: usize,
        /// What tells it from all others of the run.
        mark: u64,
    },
}

/// What was asked for, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Payments asked for.
    pub payments: usize,
    /// Of these, those that have moved tokens.
    pub paid: usize,
    /// Durable messages asked for.
    pub durable: usize,
    /// Of these, those that a program was told of.
    pub delivered: usize,
}

/// All laws.
#[derive(Debug)]
pub struct Laws {
    encrypted_once: EncryptedOnce,
    messages: Messages,
    durable: Durable,
    tasks: Tasks,
    tokens: Tokens,
    equivocation: Equivocation,
    machines: usize,
    sessions: Sessions,
}

impl Laws {
    /// Begins a run.
    pub fn new(plan: &Plan) -> Self {
        Self {
            encrypted_once: EncryptedOnce::default(),
            messages: Messages::default(),
            durable: Durable::default(),
            tasks: Tasks::default(),
            tokens: Tokens::new(plan.members, plan.liars),
            equivocation: Equivocation::new(plan.liars),
            machines: plan.machines.len(),
            sessions: Sessions,
        }
    }

    /// Says by which command a peer is asked for something; `None` where that makes no sense at the moment.
    pub fn asked(&self, at: usize, request: &Request, machines: &[Machine]) -> Option<Command> {
        match request {
            Request::Message { to, mark } | Request::Probe { to, mark } => {
                Some(Messages::command(&machines[*to], *mark))
            }
            Request::Durable { to, mark } => Some(Durable::command(&machines[*to], *mark)),
            Request::Task { to, mark } => Some(Tasks::command(&machines[*to], *mark)),
            Request::OpenLedger => self.tokens.open(at, machines),
            Request::Pay { to, mark, units } => Tokens::command(&machines[*to], *mark, *units),
            Request::Complete { id, from } => Some(Tasks::complete(&machines[*from], *id)),
        }
    }

    /// Hears that the command was given.
    pub fn given(&mut self, id: CommandId, at: usize, request: &Request, machines: &[Machine]) {
        match request {
            Request::Message { to, mark } => self.messages.given(id, *mark, (at, *to), false),
            Request::Probe { to, mark } => self.messages.given(id, *mark, (at, *to), true),
            Request::Durable { to, mark } => self.durable.given(id, *mark, (at, *to)),
            Request::Task { to, mark } => self.tasks.given(id, *mark, (at, *to)),
            Request::Pay { to, mark, units } => {
                let (from, to) = (machines[at].public_key(), machines[*to].public_key());
                self.tokens.given(id, *mark, at, Asked { from, to, units: *units });
            }
            Request::Complete { .. } | Request::OpenLedger => {}
        }
    }

    /// Says by which command a member lies; `None` where there is nothing to lie about yet.
    pub fn lie(&mut self, at: usize, lie: &Lie, machines: &[Machine]) -> Option<Command> {
        self.equivocation.command(at, lie, machines)
    }

    /// The commands by which a liar shows every honest machine all that its friend has certificates for.
    pub fn present(&self, machines: &[Machine]) -> Vec<Command> {
        self.equivocation.present(machines)
    }

    /// Sees the body of a request that leaves a machine.
    ///
    /// # Errors
    ///
    /// A law that this breaks.
    pub fn travels(&mut self, at: usize, body: &[u8]) -> Result<(), Broken> {
        self.encrypted_once.travels(at, body)
    }

    /// Hears what happened.
    ///
    /// # Errors
    ///
    /// A law that this breaks.
    pub fn happens(&mut self, happened: &Happened) -> Result<(), Broken> {
        self.messages.happens(happened)?;
        self.durable.happens(happened)?;
        self.tasks.happens(happened)?;
        self.equivocation.happens(happened, self.machines)?;
        self.tokens.happens(happened)
    }

    /// Says what a machine does by itself, because of what happened there.
    pub fn reaction(happened: &Happened) -> Option<Request> {
        Tasks::reaction(happened)
    }

    /// What a machine that was started again has still to do.
    pub fn left_to_do(machine: &Machine) -> Vec<Request> {
        Tasks::left_to_do(machine)
    }

    /// Looks at a peer that has just handled an input.
    ///
    /// # Errors
    ///
    /// A law that this breaks.
    pub fn look(&mut self, at: usize, machines: &[Machine]) -> Result<(), Broken> {
        self.equivocation.look(at, &machines[at]);
        self.tokens.look(at, &machines[at])
    }

    /// What was asked for so far, and what came of it.
    pub fn tally(&self) -> Tally {
        let (payments, paid) = self.tokens.tally();
        let (durable, delivered) = self.durable.tally();
        Tally { payments, paid, durable, delivered }
    }

    /// Judges the run as a whole, after it has healed.
    ///
    /// # Errors
    ///
    /// A law that is broken.
    pub fn judge(&self, world: &World) -> Result<(), Broken> {
        self.messages.judge()?;
        self.durable.judge(world.machines())?;
        self.tasks.judge(world.machines())?;
        self.tokens.judge(world.machines())?;
        self.equivocation.judge(world.machines())?;
        self.sessions.judge(world.machines(), world.knows())
    }
}
