//! A fake, and clients of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use entity_moltbook::call::{Draft, Matter, Remark};
use entity_moltbook::words::{CommentText, Id, PostText, Submolt, Title};
use entity_moltbook::{ApiKey, Call, Origin};
use entity_moltbook_client::{Cancel, Client, Settings, Trust};
use entity_moltbook_fake::{Fake, Server, Service};
use tempfile::TempDir;

pub(crate) const KEY: &str = "moltbook_sk_SECRET_of_the_tests_0123456789";
const TWO_DAYS: i64 = 48 * 3_600 * 1_000_000;

/// A fake service and a folder for the books of its clients.
pub(crate) struct Place {
    pub(crate) server: Server,
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let service = Service::new(1_780_000_000).with_account(KEY, "me", TWO_DAYS);
        let server = Server::start(Fake::new(service), 0).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("fake.pem"), server.certificate()).unwrap();
        Self { server, folder }
    }

    pub(crate) fn settings(&self, key: &str, seconds: u64) -> Settings {
        Settings {
            origin: Origin::parse(&self.server.address()).unwrap(),
            trust: Trust::File(self.folder.path().join("fake.pem")),
            key: ApiKey::parse(key).unwrap(),
            folder: self.books(),
            patience: Duration::from_secs(seconds),
            attempt: Duration::from_secs(seconds).min(Duration::from_secs(10)),
        }
    }

    pub(crate) fn books(&self) -> std::path::PathBuf {
        self.folder.path().join("books")
    }

    /// A client with the right key, of an account that is known for long.
    pub(crate) fn client(&self) -> Client {
        self.client_with(KEY, 10)
    }

    pub(crate) fn client_with(&self, key: &str, seconds: u64) -> Client {
        let client = Client::open(self.settings(key, seconds), Cancel::default()).unwrap();
        client.change(|book, _| book.set_established()).unwrap();
        client
    }
}

pub(crate) fn draft(title: &str, text: &str) -> Call {
    Call::CreatePost(Draft {
        submolt: Submolt::new("general").unwrap(),
        title: Title::new(title).unwrap(),
        matter: Matter::Text(PostText::new(text).unwrap()),
    })
}

pub(crate) fn remark(post: &str, text: &str) -> Call {
    let text = CommentText::new(text).unwrap();
    Call::Comment(Remark { post: Id::new(post).unwrap(), parent: None, text })
}

/// Every file below `folder`, as bytes.
pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    found
}
