//! What can be asked of the service, and the request it becomes.

use std::fmt::Write as _;

use serde_json::json;

use crate::words::{
    Answer, Code, CommentText, Cursor, Id, Link, Name, PostText, Query, Submolt, Title,
};

/// Most items that a list is asked for at once: the service's limit of a search, ours for the rest.
pub const PAGE_MAX: u8 = 50;

/// One thing to ask of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Whether the owner has claimed the account.
    Status,
    /// The own profile.
    Me,
    /// What has happened since the last look.
    Home,
    /// Another agent's profile.
    Profile(Name),
    /// Posts of everybody.
    Posts(Page),
    /// Posts of those the account follows and of its communities.
    Feed(Page),
    /// Posts of one community.
    SubmoltFeed(Submolt, Page),
    /// One post.
    Post(Id),
    /// The comments under a post.
    Comments(Id),
    /// A search over posts and comments.
    Search(Query, u8),
    /// A new post.
    CreatePost(Draft),
    /// A new comment.
    Comment(Remark),
    /// The answer to a challenge.
    Verify(Solution),
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In which order.
    pub sort: Sort,
    /// How many, 1 to [`PAGE_MAX`]; more is cut.
    pub limit: u8,
    /// Where an earlier part ended.
    pub cursor: Option<Cursor>,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// By attention.
    Hot,
    /// Newest first.
    New,
    /// By votes.
    Top,
}

/// A post that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// In which community.
    pub submolt: Submolt,
    /// Its title.
    pub title: Title,
    /// What it says.
    pub matter: Matter,
}

/// What a post consists of: a text or a link, never both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    /// A text.
    Text(PostText),
    /// The address of something elsewhere.
    Link(Link),
}

/// A comment that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Under which post.
    pub post: Id,
    /// As an answer to which comment.
    pub parent: Option<Id>,
    /// What it says.
    pub text: CommentText,
}

/// The answer to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Solution {
    /// Which challenge.
    pub code: Code,
    /// What somebody answered; it goes as a text, also where it is a number.
    pub answer: Answer,
}

/// What a call takes from the budget, beside one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// Nothing more.
    Read,
    /// One post.
    Post,
    /// One comment.
    Comment,
    /// One answer to a challenge.
    Answer,
}

/// A request without host and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Where, below the root of the interface, with its query.
    pub path: String,
    /// The body, JSON.
    pub body: Option<String>,
}

/// How something is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Changes nothing.
    Get,
    /// Changes something.
    Post,
}

impl Call {
    /// What it takes from the budget.
    pub fn cost(&self) -> Cost {
        match self {
            Self::CreatePost(_) => Cost::Post,
            Self::Comment(_) => Cost::Comment,
            Self::Verify(_) => Cost::Answer,
            Self::Status
            | Self::Me
            | Self::Home
            | Self::Profile(_)
            | Self::Posts(_)
            | Self::Feed(_)
            | Self::SubmoltFeed(..)
            | Self::Post(_)
            | Self::Comments(_)
            | Self::Search(..) => Cost::Read,
        }
    }

    /// Whether it may be sent again after its answer was lost: only what changes nothing.
    pub fn is_read(&self) -> bool {
        self.cost() == Cost::Read
    }

    /// The request.
    pub fn request(&self) -> Request {
        match self {
            Self::Status => get("/agents/status"),
            Self::Me => get("/agents/me"),
            Self::Home => get("/home"),
            Self::Profile(name) => get(&format!("/agents/profile?name={}", escaped(name.as_str()))),
            Self::Posts(page) => get(&format!("/posts{}", page.query())),
            Self::Feed(page) => get(&format!("/feed{}", page.query())),
            Self::SubmoltFeed(name, page) => get(&format!("/submolts/{name}/feed{}", page.query())),
            Self::Post(id) => get(&format!("/posts/{id}")),
            Self::Comments(id) => get(&format!("/posts/{id}/comments?sort=new")),
            Self::Search(query, limit) => {
                let limit = (*limit).clamp(1, PAGE_MAX);
                get(&format!("/search?q={}&type=all&limit={limit}", escaped(query.as_str())))
            }
            Self::CreatePost(draft) => draft.request(),
            Self::Comment(remark) => remark.request(),
            Self::Verify(solution) => post(
                "/verify",
                &json!({
                    "verification_code": solution.code.as_str(),
                    "answer": solution.answer.as_str(),
                }),
            ),
        }
    }
}

impl Page {
    /// The newest `limit` items.
    pub fn newest(limit: u8) -> Self {
        Self { sort: Sort::New, limit, cursor: None }
    }

    fn query(&self) -> String {
        let sort = match self.sort {
            Sort::Hot => "hot",
            Sort::New => "new",
            Sort::Top => "top",
        };
        let mut query = format!("?sort={sort}&limit={}", self.limit.clamp(1, PAGE_MAX));
        if let Some(cursor) = &self.cursor {
            let _ = write!(query, "&cursor={}", escaped(cursor.as_str()));
        }
        query
    }
}

impl Draft {
    /// Both names of the community's field are sent: the documentation has one, recorded conversations the other.
    fn request(&self) -> Request {
        let mut body = json!({
            "submolt": self.submolt.as_str(),
            "submolt_name": self.submolt.as_str(),
            "title": self.title.as_str(),
        });
        match &self.matter {
            Matter::Text(text) => body["content"] = text.as_str().into(),
            Matter::Link(link) => body["url"] = link.as_str().into(),
        }
        post("/posts", &body)
    }
}

impl Remark {
    fn request(&self) -> Request {
        let mut body = json!({ "content": self.text.as_str() });
        if let Some(parent) = &self.parent {
            body["parent_id"] = parent.as_str().into();
        }
        post(&format!("/posts/{}/comments", self.post), &body)
    }
}

fn get(path: &str) -> Request {
    Request { method: Method::Get, path: path.to_owned(), body: None }
}

fn post(path: &str, body: &serde_json::Value) -> Request {
    Request { method: Method::Post, path: path.to_owned(), body: Some(body.to_string()) }
}

/// Everything but what a query may hold as it is, as `%XX`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_becomes_the_request_that_the_service_documents() {
        let id = Id::new("p-1").unwrap();
        let page =
            Page { sort: Sort::Hot, limit: 200, cursor: Some(Cursor::new("a=b&c").unwrap()) };
        for (call, path) in [
            (Call::Status, "/agents/status"),
            (Call::Me, "/agents/me"),
            (Call::Home, "/home"),
            (Call::Profile(Name::new("Some.One").unwrap()), "/agents/profile?name=Some.One"),
            (Call::Posts(page), "/posts?sort=hot&limit=50&cursor=a%3Db%26c"),
            (Call::Feed(Page::newest(0)), "/feed?sort=new&limit=1"),
            (
                Call::SubmoltFeed(Submolt::new("general").unwrap(), Page::newest(5)),
                "/submolts/general/feed?sort=new&limit=5",
            ),
            (Call::Post(id.clone()), "/posts/p-1"),
            (Call::Comments(id), "/posts/p-1/comments?sort=new"),
            (
                Call::Search(Query::new("a b&ü").unwrap(), 3),
                "/search?q=a%20b%26%C3%BC&type=all&limit=3",
            ),
        ] {
            assert!(call.is_read());
            assert_eq!(call.request(), get(path));
        }
    }

    #[test]
    fn a_write_says_what_it_costs_and_carries_json() {
        let text = Call::CreatePost(Draft {
            submolt: Submolt::new("general").unwrap(),
            title: Title::new("T \"quoted\"").unwrap(),
            matter: Matter::Text(PostText::new("line\nline").unwrap()),
        });
        assert_eq!(text.cost(), Cost::Post);
        assert_eq!(
            text.request().body.unwrap(),
            r#"{"content":"line\nline","submolt":"general","submolt_name":"general","title":"T \"quoted\""}"#
        );
        let remark = Call::Comment(Remark {
            post: Id::new("p1").unwrap(),
            parent: Some(Id::new("c1").unwrap()),
            text: CommentText::new("yes").unwrap(),
        });
        assert_eq!(remark.cost(), Cost::Comment);
        assert_eq!(remark.request().path, "/posts/p1/comments");
        assert_eq!(remark.request().body.unwrap(), r#"{"content":"yes","parent_id":"c1"}"#);
        let solution = Call::Verify(Solution {
            code: Code::new("moltbook_verify_1").unwrap(),
            answer: Answer::new("15.00").unwrap(),
        });
        assert_eq!(solution.cost(), Cost::Answer);
        assert_eq!(
            solution.request().body.unwrap(),
            r#"{"answer":"15.00","verification_code":"moltbook_verify_1"}"#,
            "a number as a text: the service refuses the other"
        );
    }
}
