//! `moltbook.*`: the node's place on Moltbook as the contract shows it.
//!
//! The key is never a parameter and never in an answer: `moltbook.open` names the file that holds it. What strangers wrote comes as marked
//! data, in the form in which it is handed to peers.

use std::path::PathBuf;
use std::time::Duration;

use entity_moltbook::Call;
use entity_moltbook::call::{Draft, Matter, Page, Remark, Solution};
use entity_moltbook::duty::Plan;
use entity_moltbook::exchange::Failure;
use entity_moltbook::inbound::Sort;
use entity_moltbook::letter::{PERIOD_MIN, TaskReport, mention};
use entity_moltbook::reply::judge::{Answered, Why};
use entity_moltbook::reply::read::{self, Changed, Claim};
use entity_moltbook::words::{
    Answer, BadWord, Code, CommentText, Id, Link, Name, PostText, Query, Submolt, Title,
};
use entity_moltbook::{Origin, budget::Denied};
use entity_moltbook_client::{CallError, Client};
use entity_peer::view::TaskState;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::methods::{Audience, Outcome, Service, empty, parameter, read, result, unknown};
use super::params::NoParams;
use super::{Refusal, RpcError};
use crate::config::moltbook::{MoltbookTable, SUBMOLT_USUAL};
use crate::moltbook::duties::{Duties, Orders};
use crate::moltbook::shapes::{book_shape, created_shape, item_shape};
use crate::moltbook::{Desk, DeskError, PATIENCE};

/// Most items of `moltbook.read` that nobody bounds further.
const READ_USUAL: u8 = 25;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenParams {
    api: String,
    key_file: PathBuf,
    trust: Option<PathBuf>,
    #[serde(default)]
    established: bool,
    patience_ms: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DutyParams {
    #[serde(default)]
    status: bool,
    hand_off: Option<String>,
    submolt: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileParams {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadParams {
    post: Option<String>,
    comments: Option<String>,
    search: Option<String>,
    mentions: Option<String>,
    limit: Option<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PostParams {
    title: String,
    text: Option<String>,
    link: Option<String>,
    submolt: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommentParams {
    post: String,
    text: String,
    parent: Option<String>,
    mention: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyParams {
    code: String,
    answer: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportParams {
    task: String,
    #[serde(default)]
    summary: String,
    submolt: Option<String>,
}

impl Service {
    pub(super) async fn moltbook(&self, method: &str, params: Option<&RawValue>) -> Outcome {
        match (method, self.audience) {
            ("moltbook.open", Audience::Test) => self.moltbook_open(read(params)?),
            ("moltbook.duty", Audience::Test) => self.moltbook_duty(read(params)?),
            ("moltbook.status", _) => {
                read::<NoParams>(params)?;
                self.moltbook_status().await
            }
            ("moltbook.profile", _) => self.moltbook_profile(read(params)?).await,
            ("moltbook.read", _) => self.moltbook_read(read(params)?).await,
            ("moltbook.post", _) => self.moltbook_post(read(params)?).await,
            ("moltbook.comment", _) => self.moltbook_comment(read(params)?).await,
            ("moltbook.verify", _) => self.moltbook_verify(read(params)?).await,
            ("moltbook.report", _) => self.moltbook_report(read(params)?).await,
            ("moltbook.book", _) => {
                read::<NoParams>(params)?;
                self.moltbook_book().await
            }
            _ => Err(unknown(method)),
        }
    }

    fn moltbook_open(&self, params: OpenParams) -> Outcome {
        let Some(data_dir) = &self.data_dir else {
            return Err(RpcError::refused("MOLTBOOK_NOT_OPEN", "this peer has no folder"));
        };
        let table = MoltbookTable {
            key_file: params.key_file,
            api: Origin::parse(&params.api)
                .map_err(|why| RpcError::params(format!("api: {why}")))?,
            trust: params.trust,
            established: params.established,
            submolt: Submolt::new(SUBMOLT_USUAL).map_err(bad_word)?,
            plan: Plan::default(),
            hand_off: None,
        };
        let patience =
            params.patience_ms.map_or(PATIENCE, |time| Duration::from_millis(time.into()));
        self.moltbook.put(Desk::open(&table, data_dir, patience).map_err(of_desk)?);
        empty()
    }

    /// Takes the duties up: a first status and a first look at once, the next as soon as the bounds allow.
    fn moltbook_duty(&self, params: DutyParams) -> Outcome {
        let hand_off =
            params.hand_off.as_deref().map(|to| parameter("hand_off", to)).transpose()?;
        let orders = Orders {
            plan: Plan {
                status: params.status.then_some(PERIOD_MIN),
                mentions: hand_off.as_ref().map(|_| Duration::ZERO),
            },
            submolt: submolt(params.submolt.as_deref())?,
            hand_off,
            versions: self.protocol_versions,
        };
        let duties = Duties::take(self.desk()?, orders).map_err(of_desk)?;
        tokio::spawn(duties.carry_out(self.node.clone()));
        empty()
    }

    async fn moltbook_status(&self) -> Outcome {
        let desk = self.desk()?;
        let claim = read::claim(&ask(&desk, Call::Status).await?).map_err(changed)?;
        let profile = read::profile(&ask(&desk, Call::Me).await?).map_err(changed)?;
        let claim = match &claim {
            Claim::Claimed => "claimed",
            Claim::Pending => "pending_claim",
            Claim::Unknown(other) => other.raw(),
        };
        result(&json!({ "claim": claim, "name": profile.name.raw() }))
    }

    async fn moltbook_profile(&self, params: ProfileParams) -> Outcome {
        let name = Name::new(&params.name).map_err(bad_word)?;
        let profile = read::profile(&ask(&self.desk()?, Call::Profile(name)).await?);
        let profile = profile.map_err(changed)?;
        result(&json!({ "name": profile.name.raw(), "claimed": profile.claimed }))
    }

    async fn moltbook_read(&self, params: ReadParams) -> Outcome {
        let desk = self.desk()?;
        let limit = params.limit.unwrap_or(READ_USUAL);
        let id = |id: &str| Id::new(id).map_err(bad_word);
        let mut items = match (&params.post, &params.comments, &params.search) {
            (Some(post), None, None) => {
                let answered = ask(&desk, Call::Post(id(post)?)).await?;
                vec![read::post(&answered).map_err(changed)?]
            }
            (None, Some(post), None) => {
                let answered = ask(&desk, Call::Comments(id(post)?)).await?;
                read::list(&answered, Sort::Comment).map_err(changed)?.items
            }
            (None, None, Some(words)) => {
                let query = Query::new(words).map_err(bad_word)?;
                let answered = ask(&desk, Call::Search(query, limit)).await?;
                read::list(&answered, Sort::Post).map_err(changed)?.items
            }
            (None, None, None) => {
                let answered = ask(&desk, Call::Posts(Page::newest(limit))).await?;
                read::list(&answered, Sort::Post).map_err(changed)?.items
            }
            _ => return Err(RpcError::params("only one of `post`, `comments` and `search`")),
        };
        if let Some(agent) = &params.mentions {
            items.retain(|item| item.mentions(agent));
        }
        items.truncate(limit.into());
        result(&json!({ "items": items.iter().map(item_shape).collect::<Vec<_>>() }))
    }

    async fn moltbook_post(&self, params: PostParams) -> Outcome {
        let matter = match (&params.text, &params.link) {
            (Some(text), None) => Matter::Text(PostText::new(text).map_err(bad_word)?),
            (None, Some(link)) => Matter::Link(Link::new(link).map_err(bad_word)?),
            _ => return Err(RpcError::params("either `text` or `link` is needed")),
        };
        let title = Title::new(&params.title).map_err(bad_word)?;
        let submolt = submolt(params.submolt.as_deref())?;
        self.write(Call::CreatePost(Draft { submolt, title, matter })).await
    }

    async fn moltbook_comment(&self, params: CommentParams) -> Outcome {
        let post = Id::new(&params.post).map_err(bad_word)?;
        let text = CommentText::new(&params.text).map_err(bad_word)?;
        let parent = params.parent.as_deref().map(Id::new).transpose().map_err(bad_word)?;
        let remark = match &params.mention {
            Some(whom) => {
                let whom = Name::new(whom).map_err(bad_word)?;
                Remark { parent, ..mention(&whom, post, &text).map_err(bad_word)? }
            }
            None => Remark { post, parent, text },
        };
        self.write(Call::Comment(remark)).await
    }

    async fn moltbook_verify(&self, params: VerifyParams) -> Outcome {
        let code = Code::new(&params.code).map_err(bad_word)?;
        let answer = Answer::new(&params.answer).map_err(bad_word)?;
        ask(&self.desk()?, Call::Verify(Solution { code, answer })).await?;
        empty()
    }

    /// Says in public what became of a task; only what the task's capability and end are, and what the caller adds.
    async fn moltbook_report(&self, params: ReportParams) -> Outcome {
        self.node.settled().await?;
        let found = self.node.look(|peer, _| {
            peer.tasks().find(|task| task.id.to_string() == params.task).map(|task| {
                let able = task.content.capability.as_ref();
                (task.state, able.map_or("task".to_owned(), |able| able.as_str().to_owned()))
            })
        });
        let Some((state, capability)) = found else {
            return Err(RpcError::refused("INVALID_STATE", "there is no such task"));
        };
        let done = match state {
            TaskState::Done => true,
            TaskState::Failed => false,
            TaskState::Sent | TaskState::Accepted | TaskState::Refused(_) => {
                return Err(RpcError::refused("INVALID_STATE", "nothing has come of the task"));
            }
        };
        let report =
            TaskReport { task: params.task, capability, done, took: None, summary: params.summary };
        let draft = report.draft(submolt(params.submolt.as_deref())?).map_err(bad_word)?;
        self.write(Call::CreatePost(draft)).await
    }

    async fn moltbook_book(&self) -> Outcome {
        let desk = self.desk()?;
        let looked = desk.beside(Client::look).await;
        let gone = || RpcError::new(RpcError::INTERNAL_ERROR, "no thread for Moltbook");
        let (book, now) = looked.ok_or_else(gone)?.map_err(|error| of_call(error.into()))?;
        let mut shown = book_shape(&book, now);
        let done = desk.done();
        shown["statuses"] = done.statuses.into();
        shown["handed_over"] = done.handed_over.into();
        shown["failure"] = done.failure.into();
        result(&shown)
    }

    async fn write(&self, call: Call) -> Outcome {
        let answered = ask(&self.desk()?, call).await?;
        result(&created_shape(&read::created(&answered).map_err(changed)?))
    }

    fn desk(&self) -> Result<Desk, RpcError> {
        let none = || RpcError::refused("MOLTBOOK_NOT_OPEN", "this peer has no account there");
        self.moltbook.desk().ok_or_else(none)
    }
}

async fn ask(desk: &Desk, call: Call) -> Result<Answered, RpcError> {
    desk.call(call).await.map_err(of_call)
}

fn submolt(name: Option<&str>) -> Result<Submolt, RpcError> {
    Submolt::new(name.unwrap_or(SUBMOLT_USUAL)).map_err(bad_word)
}

/// A text that cannot be sent; nothing was.
fn bad_word(error: BadWord) -> RpcError {
    let code = match &error {
        BadWord::Empty(_) => "MOLTBOOK_EMPTY",
        BadWord::Long { .. } => "MOLTBOOK_TOO_LONG",
        BadWord::Character { .. } => "MOLTBOOK_INVALID",
    };
    RpcError::refused(code, error.to_string())
}

fn changed(error: Changed) -> RpcError {
    RpcError::refused("MOLTBOOK_INCOMPATIBLE", error.to_string())
}

fn of_desk(error: DeskError) -> RpcError {
    match error {
        DeskError::Call(error) => of_call(error),
        error @ (DeskError::Key(_)
        | DeskError::Open(_)
        | DeskError::Diary(_)
        | DeskError::Thread(_)) => RpcError::refused("MOLTBOOK_NOT_OPEN", error.to_string()),
    }
}

fn of_call(error: CallError) -> RpcError {
    let detail = error.to_string();
    let (code, status, retry_after) = match &error {
        CallError::Failed(failure) => of_failure(failure),
        CallError::Store(_) | CallError::Cancelled => ("SERVICE_UNAVAILABLE", None, None),
    };
    let retry_after_ms =
        retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
    let (code, message) = (code.to_owned(), detail.clone());
    let data = Refusal { code, status, detail, retry_after_ms };
    RpcError { code: RpcError::REFUSED, message, data: Some(data) }
}

/// The contract's word for a failure, the service's status, and when it may be tried again.
fn of_failure(failure: &Failure) -> (&'static str, Option<u16>, Option<Duration>) {
    match failure {
        Failure::Denied(Denied::Budget { until, now, .. }) => {
            ("MOLTBOOK_BUDGET", None, Some(until.since(*now)))
        }
        Failure::Denied(Denied::Paused { until, now, .. }) => {
            ("MOLTBOOK_RATE_LIMITED", None, Some(until.since(*now)))
        }
        Failure::Denied(Denied::Challenges(_)) => ("MOLTBOOK_CHALLENGES", None, None),
        Failure::RateLimited { wait, .. } => ("MOLTBOOK_RATE_LIMITED", Some(429), Some(*wait)),
        Failure::Refused(refusal) => {
            let code = match refusal.why {
                Why::Authentication => "MOLTBOOK_AUTHENTICATION",
                Why::Forbidden => "MOLTBOOK_FORBIDDEN",
                Why::NotFound => "MOLTBOOK_NOT_FOUND",
                Why::Conflict => "MOLTBOOK_CONFLICT",
                Why::Gone => "MOLTBOOK_GONE",
                Why::Invalid => "MOLTBOOK_INVALID",
            };
            (code, Some(refusal.status), None)
        }
        Failure::Unreachable { .. } => ("MOLTBOOK_UNREACHABLE", None, None),
        Failure::Unavailable { status, .. } => ("MOLTBOOK_UNAVAILABLE", Some(*status), None),
        Failure::Unsure(_) => ("MOLTBOOK_UNSURE", None, None),
        Failure::Redirected(_) => ("MOLTBOOK_REDIRECTED", None, None),
        Failure::TooLarge | Failure::Incompatible(_) => ("MOLTBOOK_INCOMPATIBLE", None, None),
    }
}
