//! Messages: each handled once in its session and in order, each command ended once, and after the healing they arrive.

use std::collections::{BTreeMap, BTreeSet};

use entity_peer::command::Send;
use entity_peer::output::Received;
use entity_peer::{Command, CommandId, CommandResult, PeerEvent, PeerName};
use entity_wire::json::Object;
use entity_wire::kind::MessageKind;

use crate::history::{Happened, What};
use crate::machine::Machine;
use crate::world::Broken;

/// What was sent, what came, and what is not answered yet.
#[derive(Debug, Default)]
pub(super) struct Messages {
    sent: BTreeMap<u64, Sent>,
    by_command: BTreeMap<CommandId, u64>,
    /// Commands under way, with the machine that was asked.
    open: BTreeMap<CommandId, usize>,
    /// The last number that a machine handled, by its session and sender.
    last: BTreeMap<(usize, String, String), u64>,
    /// Where each message was handled: machine and session.
    handled: BTreeSet<(u64, usize, String)>,
    crashed: BTreeSet<usize>,
}

#[derive(Debug)]
struct Sent {
    from: usize,
    to: usize,
    is_probe: bool,
    is_accepted: bool,
}

impl Messages {
    /// The command that sends the message `mark`.
    pub(super) fn command(to: &Machine, mark: u64) -> Command {
        let body = Object::new().with("mark", mark);
        Command::Send(Send::new(PeerName::from(&to.config.id), MessageKind::Message, body))
    }

    pub(super) fn given(
        &mut self,
        id: CommandId,
        mark: u64,
        (from, to): (usize, usize),
        is_probe: bool,
    ) {
        self.sent.insert(mark, Sent { from, to, is_probe, is_accepted: false });
        self.by_command.insert(id, mark);
    }

    pub(super) fn happens(&mut self, happened: &Happened) -> Result<(), Broken> {
        let at = happened.machine;
        match &happened.what {
            What::Event(PeerEvent::MessageReceived(received)) => self.received(at, received),
            What::Asked(id) => {
                self.open.insert(*id, at);
                Ok(())
            }
            What::Done(id, result) => {
                if let (Some(mark), Ok(CommandResult::Sent(_))) =
                    (self.by_command.get(id), &**result)
                    && let Some(sent) = self.sent.get_mut(mark)
                {
                    sent.is_accepted = true;
                }
                match self.open.remove(id) {
                    Some(_) => Ok(()),
                    None => Err(format!("{id:?} of machine {at} ended twice, or was never given")),
                }
            }
            What::Crashed => {
                self.open.retain(|_, machine| *machine != at);
                self.crashed.insert(at);
                Ok(())
            }
            What::Event(_) | What::Started => Ok(()),
        }
    }

    pub(super) fn judge(&self) -> Result<(), Broken> {
        if let Some((id, at)) = self.open.first_key_value() {
            return Err(format!("{id:?} of machine {at} has no end"));
        }
        let handled: BTreeSet<u64> = self.handled.iter().map(|(mark, ..)| *mark).collect();
        for (mark, sent) in &self.sent {
            let Sent { from, to, is_probe, is_accepted } = sent;
            let arrived = handled.contains(mark);
            if *is_probe && !(*is_accepted && arrived) {
                return Err(format!(
                    "message {mark} from {from} to {to} after the healing: accepted {is_accepted}, arrived {arrived}"
                ));
            }
            // One that is accepted may still wait for an earlier one, which dies with its sender.
            let is_safe = !self.crashed.contains(from) && !self.crashed.contains(to);
            if *is_accepted && !arrived && is_safe {
                return Err(format!("message {mark} was accepted by machine {to} and is gone"));
            }
        }
        Ok(())
    }

    fn received(&mut self, at: usize, received: &Received) -> Result<(), Broken> {
        let mark = received.body.get("mark").and_then(|mark| mark.as_integer()?.as_u64());
        let Some(mark) = mark else { return Ok(()) };
        let Some(sent) = self.sent.get(&mark) else {
            return Err(format!("machine {at} was told message {mark}, which nobody sent"));
        };
        if sent.to != at {
            return Err(format!("machine {at} got message {mark}, which is for {}", sent.to));
        }
        if !self.handled.insert((mark, at, received.session.to_string())) {
            return Err(format!("machine {at} handled message {mark} twice in a session"));
        }
        let Some(number) = received.number else { return Ok(()) };
        let way = (at, received.session.to_string(), received.from.to_string());
        match self.last.insert(way, number) {
            Some(last) if last >= number => Err(format!(
                "machine {at} handled number {number} after {last} of session {}",
                received.session
            )),
            Some(_) | None => Ok(()),
        }
    }
}
