//! Messages, deadlines and outputs between the table and the rest of the peer.

use std::collections::VecDeque;
use std::sync::Arc;

use entity_dht::discovery::Told;
use entity_dht::vocabulary::answered_by;
use entity_dht::{Announcer, Discovery, Ed25519, Event, Inbound, Node, Output, Question, SPACE};
use entity_journal::Stored;
use entity_wire::payload::dht::{Contact, DhtMessage, NodeId, Presence, RequestId, SignedRecord};
use entity_wire::time::Timestamp;
use entity_wire::version::Version;

use super::contacts::{node_of, pin, reach, refuse, send};
use super::guests::Guests;
use super::operations::{Operations, finish};
use super::presence::Rhythm;
use super::vocabulary::{ContactView, DhtCommand, DhtError, DhtEvent, DhtState, DhtView};
use crate::command::{CommandError, CommandId, Receipt};
use crate::core::{Core, Reason};
use crate::name::PeerName;
use crate::output::{PeerEvent, Received};
use crate::restore::RestoreError;
use crate::roster::Origin;

/// The room; empty where this peer takes no part in the table.
#[derive(Debug)]
pub(crate) struct Dht(Option<Box<Room>>);

#[derive(Debug)]
struct Room {
    part: Part,
    operations: Operations,
    guests: Guests,
}

/// This node of the table, with what it announces.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) discovery: Discovery,
    rhythm: Rhythm,
    /// Own records that wait until there is room for a lookup. Announcing anew begins a new list, so they are no more than one
    /// announcement has.
    signed: VecDeque<SignedRecord>,
    /// Whether nobody that is known has answered.
    is_alone: bool,
}

impl Dht {
    /// Takes part as the configuration says, with what was kept. Without an address there is nothing to take part with.
    ///
    /// # Errors
    ///
    /// A record is damaged.
    pub(crate) fn restore(
        core: &mut Core,
        stored: &mut Stored,
        now: Timestamp,
    ) -> Result<Self, RestoreError> {
        // Who took part and does not any more keeps what it had, for when it does again.
        let records = stored.take(SPACE);
        let Some(config) = &core.config.dht else { return Ok(Self(None)) };
        let address = core.config.address.as_deref().and_then(|address| address.parse().ok());
        let Some(address) = address else { return Ok(Self(None)) };
        let own = Node::new(Contact::new(core.config.id.clone(), core.public_key, address));
        let (seed, wall) = (core.entropy.bytes(), core.wall(now));
        let table = entity_dht::Dht::restore(config.table.clone(), own, seed, records, wall);
        let table = table.map_err(|damaged| RestoreError::Damaged {
            space: SPACE.name(),
            key: damaged.key,
            reason: damaged.reason,
        })?;
        let announcer = Announcer::new(core.public_key, config.lifetime);
        let part = Part {
            discovery: Discovery::new(table, announcer),
            rhythm: Rhythm::default(),
            signed: VecDeque::new(),
            is_alone: false,
        };
        let guests = Guests::of(core, now);
        Ok(Self(Some(Box::new(Room { part, operations: Operations::default(), guests }))))
    }

    /// Joins through the bootstrap contacts, or through nobody yet.
    pub(crate) fn restored(&mut self, core: &mut Core, now: Timestamp) {
        let Some(room) = &mut self.0 else { return };
        let mut bootstrap =
            core.config.dht.as_ref().map(|config| config.bootstrap.clone()).unwrap_or_default();
        bootstrap.retain(|contact| pin(core, contact));
        // Who ended before its contacts were kept still knows whom it has met.
        if room.part.discovery.table().table().is_empty() {
            let guests = core.roster.iter().filter(|(_, entry)| entry.came == Origin::Guest);
            let met = guests.filter_map(|(name, _)| node_of(core, name));
            bootstrap.extend(met.map(|node| node.contact().clone()));
        }
        // It has not left: it has just begun.
        let _joining = room.part.discovery.join(bootstrap, core.wall(now));
        room.drain(core, now);
    }

    /// Takes a command.
    pub(crate) fn handle_command(
        &mut self,
        core: &mut Core,
        id: CommandId,
        command: DhtCommand,
        now: Timestamp,
    ) {
        let Some(room) = &mut self.0 else { return finish(core, id, Err(DhtError::Disabled)) };
        let wall = core.wall(now);
        room.operations.begin(core, &mut room.part, (id, command), wall);
        room.drain(core, now);
    }

    /// Withdraws a command, and says whether it waited.
    pub(crate) fn withdraw(&mut self, command: CommandId) -> bool {
        self.0.as_mut().is_some_and(|room| room.operations.withdraw(command))
    }

    /// Takes a message of the table.
    pub(crate) fn handle_message(&mut self, core: &mut Core, received: &Received, now: Timestamp) {
        let Some(room) = &mut self.0 else {
            return refuse(core, received, "this node takes no part in the table");
        };
        match room.read(core, received, now) {
            Ok(()) => room.drain(core, now),
            Err(detail) => refuse(core, received, &detail),
        }
    }

    /// Joins through a peer that the operator has named, where it takes part and is not known in the table.
    pub(crate) fn session_ready(
        &mut self,
        core: &mut Core,
        (peer, is_in_table): (&PeerName, bool),
        now: Timestamp,
    ) {
        let Some(room) = &mut self.0 else { return };
        if !is_in_table {
            return;
        }
        room.used(core, peer, now);
        let is_named =
            core.roster.get(peer.as_str()).is_some_and(|entry| entry.came == Origin::Operator);
        let Some(node) = node_of(core, peer).filter(|_| is_named) else { return };
        let table = room.part.discovery.table_mut();
        if table.table().get(node.id()).is_none() {
            // Who has left does not join again by itself.
            let _joining = table.join([node], core.wall(now));
            room.drain(core, now);
        }
    }

    /// Takes the end of a question that was sent. The answer is a message of its own.
    pub(crate) fn finished(
        &mut self,
        core: &mut Core,
        request: RequestId,
        result: &Result<Receipt, CommandError>,
        now: Timestamp,
    ) {
        let Some(room) = &mut self.0 else { return };
        let table = room.part.discovery.table_mut();
        if result.is_err()
            && let Some(node) = table.whom(request)
        {
            table.handle_unreachable(node, request, core.wall(now));
            room.drain(core, now);
        }
    }

    /// Announces anew as soon as the next deadline is handled.
    pub(crate) fn announce_soon(&mut self, core: &Core, now: Timestamp) {
        if let Some(room) = &mut self.0 {
            room.part.rhythm.changed(core.wall(now));
        }
    }

    /// Does what is due.
    pub(crate) fn expire(&mut self, core: &mut Core, now: Timestamp) {
        let Some(room) = &mut self.0 else { return };
        let wall = core.wall(now);
        let is_due = room.part.next_deadline().is_some_and(|at| at <= wall);
        if is_due {
            room.part.handle_deadline(core, wall);
            room.drain(core, now);
        }
    }

    /// Returns when [`Dht::expire`] has something to do.
    pub(crate) fn next_deadline(&self, core: &Core) -> Option<Timestamp> {
        let at = self.0.as_ref()?.part.next_deadline()?;
        Some(at.offset(core.clock_offset_us.saturating_neg()))
    }

    /// Has everything kept as it is, before an orderly end.
    pub(crate) fn handle_shutdown(&mut self, core: &mut Core) {
        let Some(room) = &mut self.0 else { return };
        let table = room.part.discovery.table_mut();
        table.handle_shutdown();
        for write in table.take_writes() {
            core.persist(write);
        }
    }

    /// Returns what can be seen of it.
    pub(crate) fn view(&self) -> Option<DhtView> {
        let room = self.0.as_ref()?;
        let dht = room.part.discovery.table();
        let contact = |(node, heard_at, is_good): (&Arc<Node>, Timestamp, bool)| ContactView {
            contact: node.contact().clone(),
            heard_at,
            is_good,
        };
        let (slots, bytes) = dht.usage();
        let state = match (dht.has_left(), room.operations.is_leaving()) {
            (true, _) => DhtState::Left,
            (false, true) => DhtState::Leaving,
            (false, false) => DhtState::Here,
        };
        Some(DhtView {
            node: dht.own().id(),
            state,
            contacts: dht.table().contacts().map(contact).collect(),
            buckets: dht.table().buckets().collect(),
            slots,
            bytes,
        })
    }
}

impl Part {
    fn next_deadline(&self) -> Option<Timestamp> {
        [self.discovery.next_deadline(), self.rhythm.next_deadline()].into_iter().flatten().min()
    }

    fn handle_deadline(&mut self, core: &Core, wall: Timestamp) {
        let contacts = self.discovery.table().table().len();
        if self.rhythm.take_due(contacts, wall) {
            self.announce(core, wall);
        }
        self.discovery.handle_deadline(wall);
    }

    /// Announces this entity under every name that it is to be found by.
    fn announce(&mut self, core: &Core, wall: Timestamp) {
        let address = self.discovery.table().own().contact().address().clone();
        let is_name =
            |text: &&str| entity_wire::payload::dht::RecordName::of_capability(text).is_some();
        let able =
            core.able.iter().map(entity_wire::payload::task::Capability::as_str).filter(is_name);
        let presence = |capabilities| Presence {
            entity_id: core.config.id.clone(),
            addresses: vec![address.clone()],
            capabilities: Some(capabilities),
        };
        self.signed.clear();
        let able = able.map(str::to_owned).collect();
        if self.discovery.announce(presence(able), wall).is_err() {
            // So many capabilities make no record; by its id it is to be found in any case.
            let _fits = self.discovery.announce(presence(Vec::new()), wall);
        }
    }

    /// Publishes own records, as far as lookups leave room for other things.
    fn publish(&mut self, lookups_max: usize, wall: Timestamp) -> bool {
        let mut published = false;
        while self.discovery.table().under_way().0 < lookups_max / 2
            && let Some(record) = self.signed.pop_front()
        {
            // Who has left publishes nothing; everything else is tried anew when it is due.
            published |= self.discovery.handle_signed(record, &Ed25519, wall).is_ok();
        }
        published
    }
}

impl Room {
    /// Reads and judges a message, and gives it to the table.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    fn read(&mut self, core: &mut Core, received: &Received, now: Timestamp) -> Result<(), String> {
        let wall = core.wall(now);
        let read = DhtMessage::from_object(received.kind.as_str(), &received.body);
        let Some(read) = read.filter(|_| received.version == Version::V1_1) else {
            return Err("it belongs into a session of 1.1".to_owned());
        };
        let message = read.map_err(|error| error.to_string())?;
        let Some(node) = node_of(core, &received.from) else {
            return Err("its sender has no key, or no http address".to_owned());
        };
        self.used(core, &received.from, now);
        let table = self.part.discovery.table_mut();
        // Neither records of an answer that nobody asked for nor those of who asks too much are worth a verification.
        let is_wanted = match answered_by(&message) {
            Some(request) => table.expects(node.id(), request),
            None => message == DhtMessage::Leave || table.would_answer(node.id(), wall),
        };
        if !is_wanted {
            return Ok(());
        }
        match Inbound::check(message, &Ed25519) {
            Ok(Inbound::Question(request, question)) => {
                table.handle_question(&node, request, question, wall);
            }
            Ok(Inbound::Answer(request, answer)) => {
                table.handle_answer(node.id(), request, answer, wall);
            }
            Ok(Inbound::Leave) => table.handle_leave(node.id(), wall),
            Err(forged) => {
                table.handle_forged(node.id(), wall);
                let (node, peer) = (node.id(), received.from.clone());
                core.event(PeerEvent::Dht(DhtEvent::Misbehaved { node, peer }));
                refuse(core, received, &forged.to_string());
            }
        }
        Ok(())
    }

    /// Hands out what the table wants kept, asked and told.
    fn drain(&mut self, core: &mut Core, now: Timestamp) {
        let wall = core.wall(now);
        let lookups_max = core.config.dht.as_ref().map_or(0, |config| config.table.lookups_max);
        loop {
            let writes = self.part.discovery.table_mut().take_writes();
            for write in writes {
                core.persist(write);
            }
            match self.part.discovery.poll_output() {
                Some(Told::Table(output)) => self.take_output(core, output, now),
                Some(Told::Discovered(discovered)) => {
                    self.operations.discovered(core, &discovered);
                }
                Some(Told::Sign(record)) => self.part.signed.push_back(record.sign(&core.key)),
                None if self.part.publish(lookups_max, wall) => {}
                None => break,
            }
        }
        let contacts = self.part.discovery.table().table().len();
        self.part.rhythm.grown(contacts, wall);
        if self.part.is_alone && contacts > 0 {
            // Somebody has come to whom nobody had answered: through it there is a way to the others.
            self.part.is_alone = false;
            let _joining = self.part.discovery.table_mut().join([], wall);
            self.drain(core, now);
        }
    }

    fn take_output(&mut self, core: &mut Core, output: Output, now: Timestamp) {
        match output {
            Output::Ask { to, request, question } => self.ask(core, (&to, request), &question, now),
            Output::Answer { to, request, answer } => {
                send(core, &to, &answer.to_message(request), Reason::Answer);
            }
            Output::Leave { to } => send(core, &to, &DhtMessage::Leave, Reason::Question),
            Output::Event(event) => self.take_event(core, &event),
        }
    }

    /// Asks a node, whom nobody may have named, under the key that its contact has.
    fn ask(
        &mut self,
        core: &mut Core,
        (to, request): (&Arc<Node>, RequestId),
        question: &Question,
        now: Timestamp,
    ) {
        let name = PeerName::from(to.contact().entity_id());
        if !reach(core, to.contact()) {
            let table = self.part.discovery.table_mut();
            return table.handle_unreachable(to.id(), request, core.wall(now));
        }
        self.used(core, &name, now);
        send(core, to, &question.to_message(request), Reason::Dht(request));
    }

    fn take_event(&mut self, core: &mut Core, event: &Event) {
        let told = match event {
            Event::Joined { contacts } => DhtEvent::Joined { contacts: *contacts },
            Event::Alone => {
                self.part.is_alone = self.part.discovery.table().table().is_empty();
                DhtEvent::Alone
            }
            // Told where it was noticed, under the name of the peer.
            Event::Misbehaved { .. } => return,
            Event::Left => {
                self.operations.ended(core, event);
                DhtEvent::Left
            }
            Event::FoundNodes { .. } | Event::FoundRecords { .. } | Event::Published { .. } => {
                return self.operations.ended(core, event);
            }
        };
        core.event(PeerEvent::Dht(told));
    }

    /// Takes note that a peer is needed; who was not for the longest time may be forgotten.
    fn used(&mut self, core: &mut Core, peer: &PeerName, now: Timestamp) {
        let table = self.part.discovery.table().table();
        let is_contact = |core: &Core, name: &PeerName| {
            let key = core.roster.get(name.as_str()).and_then(|entry| entry.key);
            key.is_some_and(|key| table.get(NodeId::of(&key)).is_some())
        };
        self.guests.note(core, peer, is_contact, now);
    }
}
