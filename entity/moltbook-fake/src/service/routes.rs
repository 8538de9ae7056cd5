//! Which answer belongs to which path.

use serde_json::{Value, json};

use super::account::{Account, Deed};
use super::content::{Comment, Pending, Post, State};
use super::{Answer, Ask, Asking, KEPT_MAX, Service};

impl Service {
    pub(super) fn route(&mut self, ask: &Ask, now: i64) -> Answer {
        self.expire(now);
        let Some(rest) = ask.target.strip_prefix("/api/v1") else {
            return Answer::error(404, "Not found", "The interface is below /api/v1");
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let key = ask.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
        let Some((key, account)) =
            key.and_then(|key| Some((key.to_owned(), self.accounts.get_mut(key)?)))
        else {
            return Answer::error(
                401,
                "Invalid API key",
                "Send Authorization: Bearer YOUR_API_KEY",
            );
        };
        if let Err(answer) = account.spend(Deed::Request, now) {
            return answer;
        }
        if account.suspended {
            return Answer::error(403, "Account suspended", "Too many failed challenges");
        }
        match (ask.method.as_str(), parts.as_slice()) {
            ("GET", ["agents", "status"]) => status(account),
            ("GET", ["agents", "me"]) => {
                Answer::good(json!({ "success": true, "agent": profile(account) }))
            }
            ("GET", ["agents", "profile"]) => self.profile(query),
            ("GET", ["home"]) => Answer::good(json!({ "your_account": { "name": account.name } })),
            ("GET", ["posts" | "feed"] | ["submolts", _, "feed"]) => self.posts_page(query),
            ("GET", ["posts", id]) => self.post(id),
            ("GET", ["posts", id, "comments"]) => self.comments_under(id),
            ("GET", ["search"]) => self.search(query),
            ("POST", ["posts"]) => self.create_post(&key, &ask.body, now),
            ("POST", ["posts", id, "comments"]) => self.create_comment(&key, id, &ask.body, now),
            ("POST", ["verify"]) => self.verify(&key, &ask.body, now),
            _ => Answer::error(404, "Not found", "No such endpoint"),
        }
    }

    fn profile(&self, query: &str) -> Answer {
        let name = parameter(query, "name").unwrap_or_default();
        let known = self.accounts.values().find(|account| account.name == name);
        let wrote = self.posts.iter().any(|post| post.author == name);
        match known {
            Some(account) => Answer::good(json!({ "success": true, "agent": profile(account) })),
            None if wrote => Answer::good(
                json!({ "success": true, "agent": { "name": name, "is_claimed": true } }),
            ),
            None => Answer::error(404, "Agent not found", "Check the name"),
        }
    }

    fn posts_page(&self, query: &str) -> Answer {
        let limit =
            parameter(query, "limit").and_then(|limit| limit.parse().ok()).unwrap_or(25_usize);
        let from = parameter(query, "cursor").and_then(|from| from.parse().ok()).unwrap_or(0_usize);
        let visible: Vec<&Post> = self.posts.iter().rev().filter(|post| post.visible).collect();
        let page: Vec<Value> =
            visible.iter().skip(from).take(limit.min(50)).map(|post| post.json()).collect();
        let next = from + page.len();
        let more = next < visible.len();
        let mut body = json!({ "success": true, "posts": page, "has_more": more });
        if more {
            body["next_cursor"] = next.to_string().into();
        }
        Answer::good(body)
    }

    fn post(&self, id: &str) -> Answer {
        match self.posts.iter().find(|post| post.id == id) {
            Some(post) => Answer::good(json!({ "success": true, "post": post.json() })),
            None => Answer::error(404, "Post not found", "Check the id"),
        }
    }

    fn comments_under(&self, id: &str) -> Answer {
        if !self.posts.iter().any(|post| post.id == id) {
            return Answer::error(404, "Post not found", "Check the id");
        }
        let under =
            self.comments.iter().rev().filter(|comment| comment.post == id && comment.visible);
        let comments: Vec<Value> = under.map(Comment::json).collect();
        Answer::good(json!({ "success": true, "count": comments.len(), "comments": comments }))
    }

    fn search(&self, query: &str) -> Answer {
        let Some(wanted) = parameter(query, "q").filter(|wanted| !wanted.is_empty()) else {
            return Answer::error(400, "Query required", "Add ?q=");
        };
        let hits = self.posts.iter().filter(|post| {
            post.visible && post.content.as_deref().is_some_and(|text| text.contains(&wanted))
        });
        let said = self
            .comments
            .iter()
            .filter(|comment| comment.visible && comment.content.contains(&wanted));
        let comments = said.map(|comment| {
            let mut found = comment.json();
            found["type"] = "comment".into();
            found
        });
        let results: Vec<Value> = hits.map(Post::json).chain(comments).collect();
        Answer::good(json!({ "success": true, "results": results }))
    }

    fn create_post(&mut self, key: &str, body: &[u8], now: i64) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let text =
            |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(title), Some(submolt)) =
            (text("title"), text("submolt").or(text("submolt_name")))
        else {
            return Answer::error(400, "title and submolt are required", "Send both");
        };
        let (content, url) = (text("content"), text("url"));
        if content.is_some() == url.is_some() {
            return Answer::error(400, "content or url is required", "Send one of them");
        }
        if submolt == "nowhere" {
            return Answer::error(404, "Submolt not found", "GET /submolts lists them");
        }
        if let Err(answer) = self.spend(key, Deed::Post, now) {
            return answer;
        }
        let (id, visible) = (self.id(), self.asking == Asking::Never);
        let post = Post {
            id: id.clone(),
            author: self.accounts[key].name.clone(),
            submolt: submolt.to_owned(),
            title: title.to_owned(),
            content: content.map(str::to_owned),
            url: url.map(str::to_owned),
            at: now,
            visible,
        };
        let mut made = post.json();
        self.posts.push(post);
        self.put_question(key, &id, &mut made, now);
        created("post", made)
    }

    fn create_comment(&mut self, key: &str, post: &str, body: &[u8], now: i64) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let Some(content) =
            body.get("content").and_then(Value::as_str).filter(|text| !text.is_empty())
        else {
            return Answer::error(400, "content is required", "Send it");
        };
        if !self.posts.iter().any(|known| known.id == post) {
            return Answer::error(404, "Post not found", "Check the id");
        }
        if let Err(answer) = self.spend(key, Deed::Comment, now) {
            return answer;
        }
        let (id, visible) = (self.id(), self.asking == Asking::Never);
        let comment = Comment {
            id: id.clone(),
            post: post.to_owned(),
            parent: body.get("parent_id").and_then(Value::as_str).map(str::to_owned),
            author: self.accounts[key].name.clone(),
            content: content.to_owned(),
            at: now,
            visible,
        };
        let mut made = comment.json();
        self.comments.push(comment);
        self.put_question(key, &id, &mut made, now);
        created("comment", made)
    }

    fn spend(&mut self, key: &str, deed: Deed, now: i64) -> Result<(), Answer> {
        if self.posts.len().max(self.comments.len()).max(self.pending.len()) >= KEPT_MAX {
            return Err(Answer::error(503, "Full", "Start another one"));
        }
        match self.accounts.get_mut(key) {
            Some(account) => account.spend(deed, now),
            None => Err(Answer::error(401, "Invalid API key", "")),
        }
    }

    fn put_question(&mut self, key: &str, id: &str, made: &mut Value, now: i64) {
        if self.asking == Asking::Never {
            return;
        }
        let pending = Pending::new(self.made, key, id, now);
        made["verification_status"] = "pending".into();
        made["verification"] = pending.json();
        self.pending.push(pending);
    }

    fn verify(&mut self, key: &str, body: &[u8], now: i64) -> Answer {
        let body: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let (Some(code), Some(answer)) = (
            body.get("verification_code").and_then(Value::as_str),
            body.get("answer").and_then(Value::as_str),
        ) else {
            return Answer::error(
                400,
                "verification_code and answer are required",
                "Both are strings",
            );
        };
        let Some(account) = self.accounts.get_mut(key) else {
            return Answer::error(401, "Invalid API key", "");
        };
        if let Err(answer) = account.spend(Deed::Answer, now) {
            return answer;
        }
        let known = self.pending.iter_mut().find(|known| known.code == code && known.key == key);
        let Some(pending) = known else {
            account.answered(false);
            return Answer::error(404, "Invalid verification code", "Check the code");
        };
        match pending.state {
            State::Used => return Answer::error(409, "Verification code already used", ""),
            State::Expired => {
                return Answer::error(410, "Verification code expired", "Create new content");
            }
            State::Open => pending.state = State::Used,
        }
        let right = number(answer) == number(&pending.answer);
        account.answered(right);
        let about = pending.about.clone();
        if !right {
            return Answer::error(400, "Incorrect answer", "A number with 2 decimal places");
        }
        self.show(&about);
        Answer::good(
            json!({ "success": true, "message": "Verification successful!", "content_id": about }),
        )
    }

    fn show(&mut self, id: &str) {
        for post in self.posts.iter_mut().filter(|post| post.id == id) {
            post.visible = true;
        }
        for comment in self.comments.iter_mut().filter(|comment| comment.id == id) {
            comment.visible = true;
        }
    }

    /// A challenge that nobody has answered in time is a failure.
    fn expire(&mut self, now: i64) {
        let late = self
            .pending
            .iter_mut()
            .filter(|known| known.state == State::Open && known.until <= now);
        for pending in late {
            pending.state = State::Expired;
            if let Some(account) = self.accounts.get_mut(&pending.key) {
                account.answered(false);
            }
        }
    }
}

fn status(account: &Account) -> Answer {
    Answer::good(json!({ "status": if account.claimed { "claimed" } else { "pending_claim" } }))
}

fn profile(account: &Account) -> Value {
    json!({ "name": account.name, "description": "An agent", "karma": 0, "is_claimed": account.claimed })
}

fn created(what: &str, made: Value) -> Answer {
    let asked = made.get("verification").is_some();
    let mut body = json!({ "success": true, "message": "Created" });
    body[what] = made;
    if asked {
        body["verification_required"] = true.into();
    }
    Answer { status: 201, headers: Vec::new(), body }
}

fn number(text: &str) -> Option<i64> {
    let number: f64 = text.trim().parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "small sums with two decimal places")]
    let hundredths = (number * 100.0).round() as i64;
    Some(hundredths)
}

/// The value of `name` in a query, unescaped.
fn parameter(query: &str, name: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}
