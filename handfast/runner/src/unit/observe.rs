//! From what the lab saw to what a run says.

use handfast_faults::Direction;
use handfast_lab::{Body, Exchange, Exit, Fact, Fate};
use handfast_scenario::RunEvent;
use handfast_scenario::event::{self, Half, WireBytes, WireResponse, WireTaken};
use handfast_scenario::name::{EventName, RoleName};
use handfast_scenario::plan::UnitId;

/// The event that a fact is; `None` for one that has none, or whose names are not names.
pub(super) fn event(unit: &UnitId, fact: &Fact) -> Option<RunEvent> {
    let unit = unit.clone();
    match fact {
        // The executor says by itself that a peer is ready, with what the peer told of itself; a held
        // message is said when it is over, as an exchange.
        Fact::Ready { .. } | Fact::Held { .. } => None,
        Fact::Notification { role, n, method, params } => Some(RunEvent::PeerEvent {
            unit,
            role: RoleName::new(role).ok()?,
            n: *n,
            event: EventName::new(method).ok()?,
            params: params.clone(),
        }),
        Fact::Exchange(exchange) => wire(unit, exchange),
        Fact::LogLine { role, line, truncated } => Some(RunEvent::PeerLog {
            unit,
            role: RoleName::new(role).ok()?,
            line: line.clone(),
            truncated: *truncated,
        }),
        // A broken contract has no event of its own; in the peer's log it stands where it happened.
        Fact::Fault { role, fault } => Some(RunEvent::PeerLog {
            unit,
            role: RoleName::new(role).ok()?,
            line: format!("(handfast) the peer broke the contract: {fault}"),
            truncated: false,
        }),
        Fact::Exited { role, exit, expected } => Some(RunEvent::PeerExited {
            unit,
            role: RoleName::new(role).ok()?,
            how: match exit {
                Exit::Code(code) => event::Exit::Code { code: *code },
                Exit::Signal(signal) => event::Exit::Signal { signal: *signal },
                Exit::OutOfMemory => event::Exit::OutOfMemory,
            },
            expected: *expected,
        }),
    }
}

/// Why a fact means that the scenario cannot go on.
pub(super) fn breakdown(fact: &Fact) -> Option<String> {
    match fact {
        Fact::Fault { role, fault } => {
            Some(format!("the peer of {role} broke the contract: {fault}"))
        }
        Fact::Exited { role, exit, expected: false } => {
            Some(format!("the peer of {role} ended unasked, with {exit}"))
        }
        Fact::Exited { .. }
        | Fact::Ready { .. }
        | Fact::Notification { .. }
        | Fact::Exchange(_)
        | Fact::Held { .. }
        | Fact::LogLine { .. } => None,
    }
}

fn wire(unit: UnitId, exchange: &Exchange) -> Option<RunEvent> {
    let own_answer = matches!(exchange.fate, Fate::Replayed | Fate::Duplicated);
    let answer = exchange.returned.as_ref().or(exchange.answer.as_ref().filter(|_| own_answer));
    let is_changed = matches!(exchange.fate, Fate::Replaced { direction: Direction::Request, .. });
    let delivered = exchange.delivered.as_ref();
    // Of long bodies only the beginnings may be there, which a change does not have to touch.
    let delivered = delivered.filter(|delivered| is_changed || **delivered != exchange.request);
    Some(RunEvent::WireMessage {
        unit,
        from: RoleName::new(&*exchange.link.from).ok()?,
        to: RoleName::new(&*exchange.link.to).ok()?,
        index: exchange.index.unwrap_or_default(),
        target: exchange.target.clone(),
        message_type: exchange.kind.clone(),
        request: bytes(&exchange.request),
        delivered: delivered.map(bytes),
        response: answer
            .map(|answer| WireResponse { status: answer.status, body: bytes(&answer.body) }),
        action: taken(&exchange.fate),
    })
}

fn bytes(body: &Body) -> WireBytes {
    WireBytes::part_of(body.len() as u64, body.kept())
}

fn taken(fate: &Fate) -> WireTaken {
    match fate {
        Fate::Passed => WireTaken::Passed,
        // Kept back for good is, for everybody who looks, dropped.
        Fate::Dropped(direction) | Fate::Withheld(direction) => {
            WireTaken::Dropped { half: half(*direction) }
        }
        Fate::Duplicated => WireTaken::Duplicated,
        Fate::Held { for_us, .. } => WireTaken::Held { for_us: *for_us },
        Fate::Replayed => WireTaken::Replayed,
        Fate::Cut(direction) => WireTaken::Cut { half: half(*direction) },
        Fate::Replaced { direction, what } => {
            WireTaken::Replaced { half: half(*direction), what: what.clone() }
        }
        Fate::Responded(direction) => WireTaken::Responded { half: half(*direction) },
        Fate::Unreachable { reason } => WireTaken::Unreachable { reason: reason.clone() },
    }
}

fn half(direction: Direction) -> Half {
    match direction {
        Direction::Request => Half::Request,
        Direction::Response => Half::Response,
    }
}
