//! What a run says to the GitHub job whose step it is: a page and annotations.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use handfast_report::book::Book;
use handfast_report::github::page::PAGE_LEN_MAX;
use handfast_report::github::{annotations, failing, page};
use handfast_runner::sink::EventSink;
use handfast_scenario::Recorded;

use crate::around::Around;
use crate::console::Stream;

/// Says both once the run is over.
#[derive(Debug)]
pub(crate) struct GithubSink {
    book: Book,
    page: Page,
    /// The project's place in the repository, such as `tests/`.
    prefix: String,
    /// Where commands go: the job reads both streams of a step.
    commands: Stream,
}

/// Where the page goes.
#[derive(Debug)]
enum Page {
    /// Behind what this file has.
    File(PathBuf),
    /// On standard output.
    Shown,
    /// The job wants none.
    Nowhere,
}

impl GithubSink {
    /// One for the job that this is a step of; nothing elsewhere.
    pub(crate) fn of_job(around: &Around, root: &Path, commands: Stream) -> Option<Self> {
        let github = around.github.as_ref()?;
        let prefix = prefix(root, github.workspace.as_deref());
        let page = github.page.clone().map_or(Page::Nowhere, Page::File);
        Some(Self { book: Book::new(), page, prefix, commands })
    }

    /// As in a job, also where there is none: then the page is shown on standard output.
    pub(crate) fn of_replay(around: &Around, root: &Path) -> Self {
        let shown = || Self {
            book: Book::new(),
            page: Page::Shown,
            prefix: String::new(),
            commands: Stream::Error,
        };
        Self::of_job(around, root, Stream::Error).unwrap_or_else(shown)
    }
}

impl EventSink for GithubSink {
    fn event(&mut self, recorded: &Recorded) {
        self.book.read(recorded);
    }

    fn finish(&mut self) -> io::Result<()> {
        self.commands.print(&annotations(&failing::failing(&self.book), &self.prefix));
        match &self.page {
            Page::Nowhere => Ok(()),
            Page::Shown => {
                Stream::Out.print(&page(&self.book, PAGE_LEN_MAX));
                Ok(())
            }
            Page::File(file) => {
                // All commands of one step write into one file, and of one that is too long GitHub shows nothing.
                let len = fs::metadata(file).map_or(0, |data| data.len());
                let left = PAGE_LEN_MAX.saturating_sub(usize::try_from(len).unwrap_or(usize::MAX));
                let mut file = File::options().create(true).append(true).open(file)?;
                file.write_all(page(&self.book, left).as_bytes())
            }
        }
    }
}

/// The project's folder as GitHub names files: relative to the repository.
fn prefix(root: &Path, workspace: Option<&Path>) -> String {
    let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let (root, workspace) = (resolved(root), workspace.map(resolved));
    let below =
        workspace.and_then(|workspace| root.strip_prefix(workspace).ok().map(Path::to_owned));
    match below {
        Some(below) if !below.as_os_str().is_empty() => format!("{}/", below.display()),
        Some(_) | None => String::new(),
    }
}
