//! Durable messages: each that was taken in arrives exactly once, in the order of its sender, whatever crashed.

use std::collections::{BTreeMap, BTreeSet};

use entity_peer::command::{Class, Send};
use entity_peer::output::Received;
use entity_peer::{Command, CommandId, Peer, PeerEvent, PeerName};
use entity_wire::id::MessageId;
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;

use crate::history::{Happened, What};
use crate::machine::Machine;
use crate::world::Broken;

/// What was sent, what came.
#[derive(Debug, Default)]
pub(super) struct Durable {
    /// By mark; marks rise in the order they were asked for.
    sent: BTreeMap<u64, Sent>,
    by_command: BTreeMap<CommandId, u64>,
    /// Marks that a machine told, in their order, by sender.
    told: BTreeMap<(usize, String), Vec<u64>>,
    order: u64,
}

#[derive(Debug)]
struct Sent {
    from: usize,
    to: usize,
    /// When it was asked for, in the order of all.
    order: u64,
    is_taken: bool,
}

impl Durable {
    /// The command that sends the message `mark`.
    pub(super) fn command(to: &Machine, mark: u64) -> Command {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&mark.to_be_bytes());
        let body = Object::new().with("durable_mark", mark);
        let message = Send::new(PeerName::from(&to.config.id), MessageKind::Message, body);
        Command::SendDurable(Send {
            class: Class::Durable(MessageId::from_random(bytes)),
            ..message
        })
    }

    pub(super) fn given(&mut self, id: CommandId, mark: u64, (from, to): (usize, usize)) {
        self.order += 1;
        self.sent.insert(mark, Sent { from, to, order: self.order, is_taken: false });
        self.by_command.insert(id, mark);
    }

    pub(super) fn happens(&mut self, happened: &Happened) -> Result<(), Broken> {
        match &happened.what {
            What::Done(id, result) if result.is_ok() => {
                if let Some(sent) = self.by_command.get(id).and_then(|mark| self.sent.get_mut(mark))
                {
                    sent.is_taken = true;
                }
                Ok(())
            }
            What::Event(PeerEvent::MessageReceived(received)) => {
                self.received(happened.machine, received)
            }
            What::Event(PeerEvent::MessageGivenUp { .. }) => {
                Err(format!("machine {} gave up a durable message", happened.machine))
            }
            What::Event(_) | What::Done(..) | What::Asked(_) | What::Started | What::Crashed => {
                Ok(())
            }
        }
    }

    /// How many were asked for, and how many of them were told.
    pub(super) fn tally(&self) -> (usize, usize) {
        (self.sent.len(), self.told.values().map(Vec::len).sum())
    }

    /// A program that lost its power before it could tell of a message shows it in its inbox.
    pub(super) fn judge(&self, machines: &[Machine]) -> Result<(), Broken> {
        for (at, machine) in machines.iter().enumerate() {
            let Some(peer) = machine.peer() else { continue };
            self.judge_inbox(at, peer)?;
        }
        Ok(())
    }

    fn judge_inbox(&self, at: usize, peer: &Peer) -> Result<(), Broken> {
        let mut seen = BTreeSet::new();
        let mut last: BTreeMap<usize, u64> = BTreeMap::new();
        for received in peer.inbox(None, 0) {
            let Some(mark) = mark_of(received) else { continue };
            let sent = self.sent.get(&mark).ok_or(format!("nobody sent durable message {mark}"))?;
            if !seen.insert(mark) {
                return Err(format!("machine {at} has durable message {mark} twice"));
            }
            let before = last.insert(sent.from, sent.order);
            if before.is_some_and(|before| before > sent.order) {
                return Err(format!("machine {at} has durable message {mark} out of its order"));
            }
        }
        let missing = self
            .sent
            .iter()
            .find(|(mark, sent)| sent.to == at && sent.is_taken && !seen.contains(mark));
        match missing {
            Some((mark, sent)) => {
                Err(format!("durable message {mark} from {} to {at} has not arrived", sent.from))
            }
            None => Ok(()),
        }
    }

    fn received(&mut self, at: usize, received: &Received) -> Result<(), Broken> {
        let Some(mark) = mark_of(received) else { return Ok(()) };
        let Some(sent) = self.sent.get(&mark) else {
            return Err(format!("machine {at} was told durable message {mark}, which nobody sent"));
        };
        if sent.to != at {
            return Err(format!("machine {at} got durable message {mark}, which is not for it"));
        }
        let order = sent.order;
        let told = self.told.entry((at, received.from.to_string())).or_default();
        if told.iter().any(|earlier| *earlier >= order) {
            return Err(format!(
                "machine {at} was told durable message {mark} twice, or out of its order"
            ));
        }
        told.push(order);
        Ok(())
    }
}

fn mark_of(received: &Received) -> Option<u64> {
    received.body.get("durable_mark").and_then(|mark| mark.as_integer()?.as_u64())
}
