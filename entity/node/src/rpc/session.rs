//! One conversation: requests run concurrently, `$/cancel` withdraws one, events are told as they come.

use std::collections::HashMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::warn;

use super::lines::Line;
use super::methods::Service;
use super::{Incoming, RequestId, RpcError, methods, response_line, route};
use crate::node::{NodeEvent, Numbered};

/// Requests of one conversation under way; one more is refused with `SERVICE_UNAVAILABLE`.
pub const REQUESTS_MAX: usize = 1024;

/// Why a conversation ended.
#[derive(Debug)]
pub enum End {
    /// The other side asked for `shutdown`, and waits for the answer.
    Shutdown(Farewell),
    /// The other side closed the stream.
    Closed,
}

/// The answer to `shutdown`, which comes when everything else has been done.
pub struct Farewell {
    session: Session,
    id: RequestId,
}

impl Farewell {
    /// Tells the events that are left, and answers.
    pub async fn say(mut self, outcome: Result<(), RpcError>) {
        let outcome = outcome.and_then(|()| methods::empty());
        self.session.answer(response_line(Some(&self.id), &outcome)).await;
    }
}

impl fmt::Debug for Farewell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Farewell").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Answers on the way from the tasks of the requests. Guessed: more than two cores finish between two turns.
const ANSWERS_WAITING_MAX: usize = 64;

/// Holds one conversation until its end. `events` is absent where nobody wants them.
pub async fn converse(
    service: Service,
    mut lines: mpsc::Receiver<Line>,
    written: mpsc::Sender<String>,
    events: Option<mpsc::Receiver<Numbered>>,
) -> End {
    let (answers, mut answered) = mpsc::channel(ANSWERS_WAITING_MAX);
    let mut session = Session { service, answers, written, events, open: Arc::default() };
    loop {
        tokio::select! {
            event = next_event(&mut session.events) => match event {
                Some(event) => session.tell(&event).await,
                None => session.events = None,
            },
            // The session holds a sender, so there always is a next answer.
            Some(answer) = answered.recv() => session.answer(answer).await,
            line = lines.recv() => match line {
                Some(Line::Text(text)) => {
                    if let ControlFlow::Break(id) = session.take(&text).await {
                        session.withdraw_all();
                        return End::Shutdown(Farewell { session, id });
                    }
                }
                Some(Line::TooLong) => session.refuse("line is longer than 4 MiB").await,
                Some(Line::NotText) => session.refuse("line is not UTF-8").await,
                None => return End::Closed,
            },
        }
    }
}

/// The line of an event; nothing for an event that the contract does not have.
fn event_line(numbered: &Numbered) -> Option<String> {
    match &numbered.event {
        NodeEvent::Peer(event) => entity_contract::event_line(event, numbered.n),
        NodeEvent::RelaySuspected(suspicion) => Some(route::suspicion_line(suspicion, numbered.n)),
    }
}

async fn next_event(events: &mut Option<mpsc::Receiver<Numbered>>) -> Option<Numbered> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

struct Session {
    service: Service,
    /// Where the tasks of the requests put their answers.
    answers: mpsc::Sender<String>,
    written: mpsc::Sender<String>,
    events: Option<mpsc::Receiver<Numbered>>,
    /// The requests under way, to be found by `$/cancel`.
    open: Arc<Mutex<HashMap<RequestId, AbortHandle>>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.withdraw_all();
    }
}

impl Session {
    /// Withdraws what is under way: nobody will hear its end.
    fn withdraw_all(&self) {
        for (_, running) in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain() {
            running.abort();
        }
    }

    async fn take(&mut self, text: &str) -> ControlFlow<RequestId> {
        let incoming = match Incoming::parse(text) {
            Ok(incoming) => incoming,
            Err(error) => {
                self.answer(response_line(None, &Err(error))).await;
                return ControlFlow::Continue(());
            }
        };
        match (incoming.method.as_str(), incoming.id) {
            ("$/cancel", _) => self.cancel(incoming.params.as_deref()).await,
            // There are no other notifications for a peer; an unknown one is ignored.
            (_, None) => {}
            ("shutdown", Some(id)) => return ControlFlow::Break(id),
            (_, Some(id)) => self.start(id, incoming.method, incoming.params).await,
        }
        ControlFlow::Continue(())
    }

    async fn start(&mut self, id: RequestId, method: String, params: Option<Box<RawValue>>) {
        let refusal = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if open.contains_key(&id) {
                Some(RpcError::new(
                    RpcError::INVALID_REQUEST,
                    "a request with this id is under way",
                ))
            } else if open.len() >= REQUESTS_MAX {
                Some(RpcError::refused("SERVICE_UNAVAILABLE", "too many requests under way"))
            } else {
                None
            }
        };
        if let Some(error) = refusal {
            return self.answer(response_line(Some(&id), &Err(error))).await;
        }
        let (service, answers, open, name) =
            (self.service.clone(), self.answers.clone(), Arc::clone(&self.open), id.clone());
        // Held over the start, so that the request cannot end before it can be found.
        let mut found = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let running = tokio::spawn(async move {
            let outcome = service.call(&method, params.as_deref()).await;
            let is_open =
                open.lock().unwrap_or_else(PoisonError::into_inner).remove(&name).is_some();
            if is_open {
                // The conversation may be over; then there is nobody to tell.
                drop(answers.send(response_line(Some(&name), &outcome)).await);
            }
        });
        found.insert(id, running.abort_handle());
    }

    async fn cancel(&mut self, params: Option<&RawValue>) {
        #[derive(Deserialize)]
        struct CancelParams {
            id: RequestId,
        }
        let Ok(CancelParams { id }) = serde_json::from_str(params.map_or("", RawValue::get)) else {
            return warn!("a withdrawal without the id of a request is ignored");
        };
        let running = self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(running) = running {
            running.abort();
            let error = RpcError::new(RpcError::CANCELLED, "request was withdrawn");
            self.answer(response_line(Some(&id), &Err(error))).await;
        }
    }

    async fn refuse(&mut self, reason: &str) {
        self.answer(response_line(None, &Err(RpcError::new(RpcError::INVALID_REQUEST, reason))))
            .await;
    }

    /// Says an answer, and before it every event that happened before it: the node tells events before it ends commands.
    async fn answer(&mut self, line: String) {
        while let Some(event) = self.events.as_mut().and_then(|events| events.try_recv().ok()) {
            self.tell(&event).await;
        }
        self.say(line).await;
    }

    async fn tell(&self, event: &Numbered) {
        if let Some(line) = event_line(event) {
            self.say(line).await;
        }
    }

    async fn say(&self, line: String) {
        // The reader may be gone; the end of the lines tells so.
        drop(self.written.send(line).await);
    }
}
