//! Which packet goes where, and what becomes of it on the way.

use std::collections::HashMap;
use std::io::IoSlice;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use handfast_faults::{Cause, Link, Packet};
use rustix::io::Errno;

use super::account::LinkAccount;
use super::capture::{Capture, Way};
use super::change;
use super::header::{self, Header};
use super::lane::Lane;
use super::offload::{self, Preface};
use super::store::{Limits, Store};
use crate::clock::monotonic_ns;
use crate::net::plan::NetPlan;
use crate::net::port::Port;
use crate::sys;

/// The ports, the lanes between them, and the packets that wait.
#[derive(Debug)]
pub(super) struct Table {
    ports: Vec<Gate>,
    lanes: Vec<Lane>,
    routes: HashMap<IpAddr, usize>,
    store: Store,
    capture: Option<Capture>,
    /// One packet that is changed on the way.
    scratch: Vec<u8>,
    pub(super) unrouted: u64,
}

/// One port.
#[derive(Debug)]
struct Gate {
    name: String,
    tun: OwnedFd,
    /// Whether a [`Preface`] stands before each packet.
    has_preface: bool,
    /// Whether its packets may be large.
    is_large: bool,
}

impl Table {
    /// Joins the ports.
    pub(super) fn new(ports: Vec<Port>, plan: &NetPlan, capture: Option<Capture>) -> Self {
        let mut routes = HashMap::new();
        let mut gates = Vec::with_capacity(ports.len());
        for (index, port) in ports.into_iter().enumerate() {
            routes.insert(IpAddr::V4(port.v4), index);
            routes.insert(IpAddr::V6(port.v6), index);
            // What is no TUN has no preface either.
            let has_preface = sys::tun_offload::has_preface(&port.tun).unwrap_or(false);
            gates.push(Gate { name: port.name, tun: port.tun, has_preface, is_large: false });
        }
        let mut lanes = Vec::with_capacity(gates.len() * gates.len());
        for from in &gates {
            for to in &gates {
                let link = Link::new(&from.name, &to.name);
                let asked = plan.base.get(&link).cloned().unwrap_or_default();
                lanes.push(Lane::new(link, asked, plan.seed));
            }
        }
        let mut table = Self {
            ports: gates,
            lanes,
            routes,
            store: Store::new(Limits::DEFAULT),
            capture,
            scratch: Vec::new(),
            unrouted: 0,
        };
        table.follow_conditions();
        table
    }

    /// The descriptors that packets come from, in the order of the ports.
    pub(super) fn tuns(&self) -> impl Iterator<Item = &OwnedFd> {
        self.ports.iter().map(|gate| &gate.tun)
    }

    /// The lane from one role to another.
    pub(super) fn lane(&mut self, from: &str, to: &str) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.link().from == from && lane.link().to == to)
    }

    /// Large packets are allowed where no lane of a port does anything: asked again whenever conditions change.
    pub(super) fn follow_conditions(&mut self) {
        let all_have_prefaces = self.ports.iter().all(|gate| gate.has_preface);
        let lanes = self.lanes.chunks(self.ports.len().max(1));
        for (gate, lanes) in self.ports.iter_mut().zip(lanes) {
            let may_be_large = all_have_prefaces && lanes.iter().all(Lane::is_plain);
            // A kernel that refuses goes on with packets as they are on the wire, which is always right.
            if may_be_large != gate.is_large
                && sys::tun_offload::set_large(&gate.tun, may_be_large).is_ok()
            {
                gate.is_large = may_be_large;
            }
        }
    }

    /// Reads one packet of a port into `buffer` and carries it on.
    ///
    /// # Errors
    ///
    /// `EAGAIN` when there is none; anything else when there will never be one again.
    pub(super) fn carry(&mut self, port: usize, buffer: &mut [u8]) -> rustix::io::Result<()> {
        let length = rustix::io::read(&self.ports[port].tun, &mut *buffer)?;
        if length == 0 {
            // There is no empty packet: the other end is closed.
            return Err(Errno::PIPE);
        }
        if !self.ports[port].has_preface {
            self.pass(port, &mut buffer[..length]);
            return Ok(());
        }
        let Some((first, packet)) = buffer[..length].split_first_chunk_mut::<{ Preface::LENGTH }>()
        else {
            self.unrouted += 1;
            return Ok(());
        };
        let preface = Preface::read(*first);
        if preface.is_plain() {
            self.pass(port, packet);
        } else if self.ports[port].is_large {
            let first = *first;
            self.pass_large(port, &first, packet);
        } else if !offload::cut(packet, preface, |piece| self.pass(port, piece)) {
            self.unrouted += 1;
        }
        Ok(())
    }

    /// Writes what is due.
    pub(super) fn deliver_due(&mut self) {
        if self.store.next_due().is_none() {
            return;
        }
        let mut now_ns = monotonic_ns();
        while let Some(due) = self.store.take_due(now_ns) {
            let (lane, due_ns) = (due.lane, due.at_ns);
            let target = lane % self.ports.len();
            let is_written = write(&self.ports[target], &Preface::PLAIN, due.packet);
            now_ns = monotonic_ns();
            let carried = &mut self.lanes[lane].carried;
            if is_written {
                carried.delivered += 1;
            } else {
                carried.refused += 1;
            }
            self.lanes[lane].shaper.handle_delivery(due_ns, now_ns);
            if let Some(capture) = &mut self.capture {
                capture.note(now_ns, target, Way::Out, due.packet, None);
            }
        }
    }

    /// When the next packet is due.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.store.next_due()
    }

    /// Gives what was captured to its writer: there is time now.
    pub(super) fn rest(&mut self) {
        if let Some(capture) = &mut self.capture {
            capture.hand_over();
        }
    }

    /// Takes the capture, to end it.
    pub(super) fn take_capture(&mut self) -> Option<Capture> {
        self.capture.take()
    }

    /// What each direction was asked for and did.
    pub(super) fn accounts(&self) -> Vec<LinkAccount> {
        let others = self.lanes.iter().filter(|lane| lane.link().from != lane.link().to);
        others.flat_map(Lane::accounts).collect()
    }

    /// Lets one packet, as it is on the wire, meet the conditions of its link.
    fn pass(&mut self, port: usize, packet: &mut [u8]) {
        let Some((header, lane)) = self.way(port, packet) else { return };
        // What was to leave before it leaves before it.
        self.deliver_due();
        let now_ns = monotonic_ns();
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let shown = Packet { length, flow: header.flow };
        let fate = self.lanes[lane].shaper.handle_packet(shown, now_ns);
        if let Some(capture) = &mut self.capture {
            let comment = fate.dropped.map(comment);
            capture.note(now_ns, port, Way::In, packet, comment);
        }
        if fate.dropped == Some(Cause::Reset) {
            self.answer_by_reset(port, lane, packet);
        }
        for copy in fate.copies {
            match copy.corrupt {
                None => self.send(lane, copy.due_ns, now_ns, packet),
                Some(turned) => {
                    let mut changed = std::mem::take(&mut self.scratch);
                    changed.clear();
                    changed.extend_from_slice(packet);
                    let corruption = self.lanes[lane].corruption();
                    change::flip(&mut changed, &header, |bits| turned.below(bits), corruption);
                    self.send(lane, copy.due_ns, now_ns, &changed);
                    self.scratch = changed;
                }
            }
        }
    }

    /// Lets a packet pass whose segmentation was left to us, to one to whom it is left in turn: nothing is asked of its link.
    fn pass_large(&mut self, port: usize, first: &[u8; Preface::LENGTH], packet: &mut [u8]) {
        let Some((header, lane)) = self.way(port, packet) else { return };
        self.deliver_due();
        let now_ns = monotonic_ns();
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        // It counts as one; nothing can happen to it.
        self.lanes[lane].shaper.handle_packet(Packet { length, flow: header.flow }, now_ns);
        let target = lane % self.ports.len();
        let is_written = write(&self.ports[target], first, packet);
        let carried = &mut self.lanes[lane].carried;
        if is_written {
            carried.delivered += 1;
        } else {
            carried.refused += 1;
        }
        if let Some(capture) = &mut self.capture {
            capture.note(now_ns, port, Way::In, packet, Some(LARGE));
            capture.note(now_ns, target, Way::Out, packet, Some(LARGE));
        }
    }

    /// Where a packet goes; a packet for nobody is counted.
    fn way(&mut self, port: usize, packet: &[u8]) -> Option<(Header, usize)> {
        let header = header::read(packet);
        let way = header.and_then(|header| {
            let target = *self.routes.get(&header.target)?;
            // A peer reaches itself without us.
            (target != port).then(|| (header, port * self.ports.len() + target))
        });
        if way.is_none() {
            self.unrouted += 1;
        }
        way
    }

    fn send(&mut self, lane: usize, due_ns: u64, now_ns: u64, packet: &[u8]) {
        if due_ns > now_ns {
            if self.store.put(due_ns, lane, packet).is_err() {
                self.lanes[lane].carried.overflowed += 1;
            }
            return;
        }
        let target = lane % self.ports.len();
        let is_written = write(&self.ports[target], &Preface::PLAIN, packet);
        let carried = &mut self.lanes[lane].carried;
        if is_written {
            carried.delivered += 1;
        } else {
            carried.refused += 1;
        }
        if let Some(capture) = &mut self.capture {
            capture.note(now_ns, target, Way::Out, packet, None);
        }
    }

    fn answer_by_reset(&mut self, port: usize, lane: usize, packet: &[u8]) {
        let Some(reset) = change::reset(packet) else { return };
        if write(&self.ports[port], &Preface::PLAIN, &reset) {
            self.lanes[lane].carried.resets += 1;
        }
        if let Some(capture) = &mut self.capture {
            capture.note(monotonic_ns(), port, Way::Out, &reset, Some(RESET));
        }
    }
}

/// Lets a packet arrive; whether the kernel took it.
fn write(gate: &Gate, preface: &[u8; Preface::LENGTH], packet: &[u8]) -> bool {
    let written = if gate.has_preface {
        rustix::io::writev(&gate.tun, &[IoSlice::new(preface), IoSlice::new(packet)])
    } else {
        rustix::io::write(&gate.tun, packet)
    };
    written.is_ok()
}

/// Why a packet does not arrive, as a comment of a capture.
fn comment(cause: Cause) -> &'static str {
    match cause {
        Cause::Cut => "dropped: the link is cut",
        Cause::Reset => "dropped: the link is cut, and its sender is told",
        Cause::Mtu => "dropped: larger than the MTU",
        Cause::Queue => "dropped: the queue is full",
        Cause::Loss => "dropped: lost",
    }
}

/// Further ones.
const LARGE: &str = "passed without segmentation";
const RESET: &str = "a reset made by the switch";
