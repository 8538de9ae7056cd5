//! Which method asks for what.

use std::collections::BTreeMap;
use std::str::FromStr;

use entity_peer::command::{Class, Command, CommandResult, Send};
use entity_peer::tokens::TokenResult;
use entity_peer::view::SessionName;
use entity_peer::{Peer, PeerName};
use entity_wire::json::{Object, RULES_1_0_HARDENED, Rules, Value, parse};
use entity_wire::kind::MessageKind;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use crate::RpcError;
use crate::delivery::{self, ErrorNotifyParams, KeptReceipt, OutboxListParams, WakeParams};
use crate::params::{
    ClockOffsetParams, FlavourWord, MessageInboxParams, MessageSendParams, NoParams, SessionParams,
    ToParams,
};
use crate::shapes::{MessageShape, PeerShape, ReceiptShape, SessionShape, raw_object};
use crate::stats::stats_lines;
use crate::tasks::{CapabilitySetParams, TaskCompleteParams, TaskDelegateParams, TaskListParams};
use crate::token::{self, TokenLook};
use crate::token_shapes;
use crate::transfers::{TransferCancelParams, TransferListParams};

/// Longest line of the contract, in bytes: 4 MiB.
pub const LINE_LEN_MAX: usize = 4 << 20;

/// Most messages in one answer of `message.inbox`.
pub const INBOX_ANSWER_MAX: usize = 1000;

/// Bytes of message bodies in one answer of `message.inbox`, so that it fits a line of the contract with room for the rest.
const INBOX_ANSWER_BYTES_MAX: usize = 512 * 1024;

/// The result of a request, or why there is none.
pub type Outcome = Result<Box<RawValue>, RpcError>;

/// What a method asks of a peer.
#[derive(Debug)]
pub enum Request {
    /// To do this; its result, once it is done, becomes the answer.
    Command(Box<Command>, Answer),
    /// To show this. Whoever shows it first waits until what the peer knows is kept, so that no crash takes it back.
    Look(Look),
}

/// How the result of a command becomes an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It has nothing to say.
    Empty,
    /// Of `session.open`.
    Session,
    /// Of `session.rekey`.
    Generation,
    /// Of `message.send`.
    Message,
    /// Of `peer.ping`.
    RoundTrip,
    /// Of `capability.query`.
    Capabilities,
    /// Of `task.delegate`.
    Task,
    /// Of `transfer.send`.
    Transfer,
    /// Of `token.open`.
    Opened,
    /// Of `token.account`.
    Account,
    /// Of `token.transfer`, `token.issue` and `token.burn`.
    Paid,
}

/// A look at a peer.
#[derive(Debug)]
pub struct Look(Looked);

#[derive(Debug)]
enum Looked {
    Peers,
    Sessions,
    Inbox(MessageInboxParams),
    Outbox(OutboxListParams),
    Errors,
    Stats,
    Tasks(TaskListParams),
    Transfers(TransferListParams),
    Token(TokenLook),
}

/// Says what a method asks for; nothing for a method that belongs to the node.
///
/// `clock.offset` is among them: whoever is no test peer must not come here with it.
pub fn read(method: &str, params: Option<&RawValue>) -> Option<Result<Request, RpcError>> {
    Some(match method {
        "peer.list" => no_params(params).map(|()| look(Looked::Peers)),
        "peer.wake" => parse_params::<WakeParams>(params)
            .and_then(WakeParams::command)
            .map(|command| ask(command, Answer::Empty)),
        "peer.ping" => to(params).map(|to| ask(Command::Ping { to }, Answer::RoundTrip)),
        "capability.query" => {
            to(params).map(|to| ask(Command::QueryCapabilities { to }, Answer::Capabilities))
        }
        "capability.set" => parse_params::<CapabilitySetParams>(params)
            .and_then(CapabilitySetParams::command)
            .map(|command| ask(command, Answer::Empty)),
        "session.open" => to(params).map(|to| ask(Command::OpenSession { to }, Answer::Session)),
        "session.list" => no_params(params).map(|()| look(Looked::Sessions)),
        "session.close" => {
            session(params).map(|session| ask(Command::CloseSession { session }, Answer::Empty))
        }
        "session.rekey" => {
            session(params).map(|session| ask(Command::Rekey { session }, Answer::Generation))
        }
        "message.send" => parse_params(params).and_then(message),
        "message.inbox" => parse_params(params).map(|params| look(Looked::Inbox(params))),
        "outbox.list" => parse_params(params).map(|params| look(Looked::Outbox(params))),
        "error.notify" => parse_params::<ErrorNotifyParams>(params)
            .and_then(ErrorNotifyParams::command)
            .map(|command| ask(command, Answer::Empty)),
        "error.list" => no_params(params).map(|()| look(Looked::Errors)),
        "stats" => no_params(params).map(|()| look(Looked::Stats)),
        "task.delegate" => parse_params::<TaskDelegateParams>(params)
            .and_then(TaskDelegateParams::command)
            .map(|command| ask(command, Answer::Task)),
        "task.complete" => parse_params::<TaskCompleteParams>(params)
            .and_then(TaskCompleteParams::command)
            .map(|command| ask(command, Answer::Empty)),
        "task.list" => parse_params(params).map(|params| look(Looked::Tasks(params))),
        "transfer.list" => parse_params(params).map(|params| look(Looked::Transfers(params))),
        "transfer.cancel" => parse_params::<TransferCancelParams>(params)
            .and_then(TransferCancelParams::command)
            .map(|command| ask(command, Answer::Empty)),
        "clock.offset" => parse_params(params).and_then(clock_offset),
        _ => return token::read(method, params),
    })
}

impl Answer {
    /// The answer that a result becomes.
    ///
    /// # Errors
    ///
    /// [`RpcError::INTERNAL_ERROR`] for a result of another kind.
    pub fn of(self, done: CommandResult) -> Outcome {
        match (self, done) {
            (Self::Empty, _) => empty(),
            (Self::Session, CommandResult::Session(view)) => result(&SessionShape::from(view)),
            (Self::Generation, CommandResult::Generation(generation)) => {
                result(&BTreeMap::from([("generation", generation)]))
            }
            (Self::Message, CommandResult::Kept(id)) => {
                result(&KeptReceipt { id: id.to_string(), queued: true })
            }
            (Self::Message, CommandResult::Sent(receipt)) => result(&ReceiptShape::from(receipt)),
            (Self::RoundTrip, CommandResult::RoundTrip(time)) => {
                result(&BTreeMap::from([("round_trip_us", time.as_micros())]))
            }
            (Self::Capabilities, CommandResult::Capabilities(object)) => {
                result(&BTreeMap::from([("capabilities", raw_object(&object))]))
            }
            (Self::Transfer, CommandResult::Transfer(id)) => {
                result(&BTreeMap::from([("id", id.to_string())]))
            }
            (Self::Task, CommandResult::Task(id)) => {
                result(&BTreeMap::from([("id", id.to_string())]))
            }
            (Self::Opened, CommandResult::Token(TokenResult::Opened(ledger))) => {
                result(&token_shapes::Opened { ledger: ledger.to_string() })
            }
            (Self::Account, CommandResult::Token(TokenResult::Account(key))) => {
                result(&token_shapes::Account { key: key.to_hex() })
            }
            (Self::Paid, CommandResult::Token(TokenResult::Paid(paid))) => {
                result(&token_shapes::Paid::from(paid))
            }
            (_, other) => Err(unexpected(&other)),
        }
    }
}

impl Look {
    pub(crate) fn at_tokens(look: TokenLook) -> Self {
        Self(Looked::Token(look))
    }

    /// What a peer shows.
    ///
    /// # Errors
    ///
    /// [`RpcError`] as the caller is to be told.
    pub fn show(&self, peer: &Peer) -> Outcome {
        match &self.0 {
            Looked::Peers => {
                let peers: Vec<PeerShape> = peer.peers().map(PeerShape::from).collect();
                result(&BTreeMap::from([("peers", peers)]))
            }
            Looked::Sessions => {
                let sessions: Vec<_> =
                    peer.sessions().into_iter().map(SessionShape::from).collect();
                result(&BTreeMap::from([("sessions", sessions)]))
            }
            Looked::Inbox(params) => inbox(params, peer),
            Looked::Outbox(params) => params.show(peer),
            Looked::Errors => delivery::errors(peer),
            Looked::Stats => result(&BTreeMap::from([("stats", stats_lines(peer))])),
            Looked::Tasks(params) => params.show(peer),
            Looked::Transfers(params) => params.show(peer),
            Looked::Token(look) => look.show(peer),
        }
    }
}

fn inbox(params: &MessageInboxParams, peer: &Peer) -> Outcome {
    let from =
        params.from.as_deref().map(|from| parameter::<PeerName>("from", from)).transpose()?;
    let after = params.after.unwrap_or(0);
    let limit = params.limit.unwrap_or(INBOX_ANSWER_MAX).min(INBOX_ANSWER_MAX);
    let mut messages: Vec<MessageShape> = Vec::new();
    let mut bytes = 0;
    for received in peer.inbox(from.as_ref(), after).take(limit) {
        let message = MessageShape::from(received);
        bytes += message.body_len();
        // One message always fits: its body was below the limit of a message when it came.
        if bytes > INBOX_ANSWER_BYTES_MAX && !messages.is_empty() {
            break;
        }
        messages.push(message);
    }
    let next = messages.last().and_then(|message| message.index).unwrap_or(after);
    result(&Inbox { messages, next })
}

fn message(params: MessageSendParams) -> Result<Request, RpcError> {
    let message = Send {
        to: parameter("to", &params.to)?,
        kind: MessageKind::from_text(params.kind.as_deref().unwrap_or("message")),
        body: body_object(&params.body)?,
        chunk: None,
        seal: params.seal.seal(),
        flavour: params.flavour.map(FlavourWord::flavour),
        class: Class::Volatile,
    };
    let command =
        if params.durable { Command::SendDurable(message) } else { Command::Send(message) };
    Ok(ask(command, Answer::Message))
}

fn clock_offset(params: ClockOffsetParams) -> Result<Request, RpcError> {
    let offset = params.seconds * 1e6;
    // A hundred years: enough for every test, and far from what a timestamp cannot hold.
    if offset.is_nan() || offset.abs() > 3.2e15 {
        return Err(RpcError::params("seconds: more than a hundred years"));
    }
    #[expect(clippy::cast_possible_truncation, reason = "checked to be far below 2^63")]
    let offset_us = offset.round() as i64;
    Ok(ask(Command::SetClockOffset { offset_us }, Answer::Empty))
}

pub(crate) fn ask(command: Command, answer: Answer) -> Request {
    Request::Command(Box::new(command), answer)
}

fn look(looked: Looked) -> Request {
    Request::Look(Look(looked))
}

fn to(params: Option<&RawValue>) -> Result<PeerName, RpcError> {
    let params: ToParams = parse_params(params)?;
    parameter("to", &params.to)
}

fn session(params: Option<&RawValue>) -> Result<SessionName, RpcError> {
    parse_params(params).map(|params: SessionParams| SessionName(params.id))
}

pub(crate) fn no_params(params: Option<&RawValue>) -> Result<(), RpcError> {
    parse_params::<NoParams>(params).map(drop)
}

/// Reads the parameters of a method.
///
/// # Errors
///
/// [`RpcError::INVALID_PARAMS`] where they are not those of the method.
pub fn parse_params<'a, T: Deserialize<'a>>(params: Option<&'a RawValue>) -> Result<T, RpcError> {
    serde_json::from_str(params.map_or("{}", RawValue::get)).map_err(RpcError::params)
}

/// Reads the text of one parameter.
///
/// # Errors
///
/// [`RpcError::INVALID_PARAMS`] where it makes no sense.
pub fn parameter<T: FromStr<Err: std::fmt::Display>>(
    name: &str,
    text: &str,
) -> Result<T, RpcError> {
    text.parse().map_err(|error| RpcError::params(format!("{name}: {error}")))
}

/// Reads a body. Bodies keep integers digit by digit, so they go through the parser of the wire.
///
/// # Errors
///
/// [`RpcError::INVALID_PARAMS`] where it is no object.
pub fn body_object(body: &RawValue) -> Result<Object, RpcError> {
    // What one envelope takes is judged where it is known which; here the line is the bound.
    let rules = Rules { len_max: LINE_LEN_MAX, ..RULES_1_0_HARDENED };
    match parse(body.get().as_bytes(), &rules) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(RpcError::params("body: not an object")),
        Err(error) => Err(RpcError::params(format!("body: {error}"))),
    }
}

/// An answer.
///
/// # Errors
///
/// [`RpcError::INTERNAL_ERROR`] for what JSON cannot say.
pub fn result<T: Serialize>(value: &T) -> Outcome {
    to_raw_value(value).map_err(|error| RpcError::new(RpcError::INTERNAL_ERROR, error.to_string()))
}

/// The answer that has nothing to say.
///
/// # Errors
///
/// None: it is as [`result`] is.
pub fn empty() -> Outcome {
    result(&serde_json::Map::new())
}

/// A peer answered with a result of another kind: a mistake of this program.
pub fn unexpected(result: &CommandResult) -> RpcError {
    RpcError::new(RpcError::INTERNAL_ERROR, format!("the peer answered with {result:?}"))
}

#[derive(Serialize)]
struct Inbox {
    messages: Vec<MessageShape>,
    next: u64,
}
