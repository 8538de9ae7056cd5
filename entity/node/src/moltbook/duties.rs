//! What the node does on Moltbook by itself: the duties of `entity_moltbook::duty`, carried out.

use std::time::Duration;

use entity_moltbook::call::Draft;
use entity_moltbook::duty::{Deed, Duty, Plan, Posted};
use entity_moltbook::inbound::{Inbound, Sort};
use entity_moltbook::letter::PeerStatus;
use entity_moltbook::reply::judge::Answered;
use entity_moltbook::reply::read::{self, Created};
use entity_moltbook::words::{BadWord, Name, Submolt};
use entity_moltbook::{Call, Moment};
use entity_moltbook_client::{CallError, Diary};
use entity_peer::PeerName;
use entity_peer::command::{Class, Command, Seal, Send};
use entity_wire::kind::MessageKind;
use tracing::{info, warn};

use super::{Desk, DeskError};
use crate::node::Node;
use crate::rpc::methods::body_object;

/// The longest sleep between two looks at the clock, which goes on while the system sleeps when the sleep does not.
const NAP: Duration = Duration::from_mins(1);

/// Everything the duties need beside the desk.
#[derive(Debug)]
pub struct Orders {
    /// What, and how often.
    pub plan: Plan,
    /// Where statuses are posted.
    pub submolt: Submolt,
    /// Who gets what names the account.
    pub hand_off: Option<PeerName>,
    /// The versions the node speaks, for its status.
    pub versions: &'static [&'static str],
}

/// The duties of one account, taken and not begun.
#[derive(Debug)]
pub struct Duties {
    desk: Desk,
    orders: Orders,
    diary: Diary,
    duty: Duty,
    since: Moment,
}

impl Duties {
    /// Takes the duties of the desk's account, so that no other program does them.
    ///
    /// # Errors
    ///
    /// [`DeskError::Diary`].
    pub fn take(desk: Desk, orders: Orders) -> Result<Self, DeskError> {
        let (diary, memory) = desk.client.duties()?;
        let since = desk.client.now();
        let duty = Duty::new(orders.plan, memory, since);
        Ok(Self { desk, orders, diary, duty, since })
    }

    /// Does them until dropped. Nothing of what strangers write is acted on: it is handed over, marked.
    pub async fn carry_out(mut self, node: Node) {
        loop {
            match self.duty.next(self.desk.client.now()) {
                Deed::Wait(None) => return,
                Deed::Wait(Some(until)) => {
                    let left = until.since(self.desk.client.now());
                    tokio::time::sleep(left.min(NAP)).await;
                }
                Deed::Who => {
                    let name = self.who().await;
                    self.duty.handle_who(name, self.desk.client.now());
                }
                Deed::Status => self.status(&node).await,
                Deed::Look(call) => {
                    let items = self.look(call).await;
                    self.duty.handle_looked(items, self.desk.client.now());
                }
                Deed::HandOver(item) => self.hand_over(&node, &item).await,
            }
        }
    }

    async fn who(&self) -> Option<Name> {
        let answered = self.good("ask who the account is", self.desk.call(Call::Me).await)?;
        let profile = read::profile(&answered);
        let name = profile.map_err(|error| error.to_string()).and_then(|profile| {
            Name::new(profile.name.raw()).map_err(|error: BadWord| error.to_string())
        });
        self.good("read the account's name", name)
    }

    async fn status(&mut self, node: &Node) {
        let draft = self.draft(node);
        let Some(draft) = self.good("write a status", draft) else {
            return self.duty.handle_status(Posted::NotSent, self.desk.client.now());
        };
        let outcome = self.desk.call(Call::CreatePost(draft)).await;
        let now = self.desk.client.now();
        match &outcome {
            Ok(_) => self.duty.handle_status(Posted::Made, now),
            Err(CallError::Failed(failure)) => {
                self.duty.handle_status(Posted::Failed(failure), now);
            }
            // The book could not be kept, or the node ends.
            Err(CallError::Store(_) | CallError::Cancelled) => {
                self.duty.handle_status(Posted::NotSent, now);
            }
        }
        self.remember();
        let Some(answered) = self.good("post a status", outcome) else { return };
        self.desk.note(|done| done.statuses += 1);
        if let Some(created) = self.good("read the answer to a status", read::created(&answered)) {
            say_challenge(&created);
        }
    }

    fn draft(&self, node: &Node) -> Result<Draft, BadWord> {
        let up = self.desk.client.now().since(self.since);
        let versions = self.orders.versions.iter().map(|&version| version.to_owned()).collect();
        let status = node.look(|peer, _| PeerStatus {
            name: peer.config().id.to_string(),
            versions,
            sessions: peer.sessions().len() as u64,
            handled: peer.stats().map(|(_, stats)| stats.messages_received).sum(),
            up,
        });
        status.draft(self.orders.submolt.clone())
    }

    async fn look(&self, call: Call) -> Option<Vec<Inbound>> {
        let answered: Answered = self.good("look for mentions", self.desk.call(call).await)?;
        let listed = self.good("read a list", read::list(&answered, Sort::Post))?;
        Some(listed.items)
    }

    /// As a durable message that says first what it is. The node has it on disk before the item is remembered.
    async fn hand_over(&mut self, node: &Node, item: &Inbound) {
        let sent = match &self.orders.hand_off {
            Some(to) => hand_over(node, to, item).await,
            None => Err("there is nobody to hand it to".to_owned()),
        };
        let kept = self.good("hand a mention over", sent).is_some();
        self.duty.handle_handed(kept, self.desk.client.now());
        if kept {
            // Counted when it is on disk: whoever has seen the count will not see the item once more after a kill.
            self.remember();
            self.desk.note(|done| done.handed_over += 1);
            info!(item = item.id, "a mention on Moltbook was handed over");
        }
    }

    fn remember(&self) {
        self.good("remember what was done", self.diary.keep(self.duty.memory()));
    }

    /// What went well, or nothing and a line in the log, once for each failure that is not the same as the last.
    fn good<T, E: std::fmt::Display>(&self, doing: &str, outcome: Result<T, E>) -> Option<T> {
        match outcome {
            Ok(good) => {
                self.desk.note(|done| done.failure = None);
                Some(good)
            }
            Err(error) => {
                let text = format!("{doing}: {error}");
                if self.desk.done().failure.as_ref() != Some(&text) {
                    warn!(failure = text, "Moltbook");
                }
                self.desk.note(|done| done.failure = Some(text));
                None
            }
        }
    }
}

async fn hand_over(node: &Node, to: &PeerName, item: &Inbound) -> Result<(), String> {
    let text = serde_json::value::to_raw_value(&item.hand_off());
    let body = text.map_err(|error| error.to_string())?;
    let message = Send {
        to: to.clone(),
        kind: MessageKind::from_text("message"),
        body: body_object(&body).map_err(|error| error.message)?,
        chunk: None,
        seal: Seal::Auto,
        flavour: None,
        class: Class::Volatile,
    };
    let kept = node.command(Command::SendDurable(message)).await;
    kept.map(drop).map_err(|error| format!("failed to {error}"))
}

/// A challenge is for whoever runs the node; nothing here answers it.
fn say_challenge(created: &Created) {
    if let Some(challenge) = &created.challenge {
        warn!(
            code = challenge.code,
            asks = challenge.text.shown_on_a_line(),
            "Moltbook asks something before it shows a post; answer within 5 minutes with `entity moltbook verify CODE ANSWER`"
        );
    }
}
