//! A generated file beside what stands on disk.

use std::fs;
use std::io;
use std::path::Path;

use handfast_workflow::merge::{Conflict, Take, merge};
use handfast_workflow::region::{MarkError, Parts};
use handfast_workflow::{Generated, Service};

use crate::error::CommandError;

/// A file of the project: what is generated, what was generated last, and what stands there.
#[derive(Debug, Clone)]
pub(super) struct OnDisk {
    pub(super) generated: Generated,
    /// What stands there; `None`: nothing.
    pub(super) ours: Option<String>,
    /// What was generated last; `None`: nobody knows.
    pub(super) base: Option<String>,
}

/// Why the two cannot be brought together.
#[derive(Debug, Clone)]
pub(super) enum Apart {
    /// The marks of the file make no regions.
    Marks(MarkError),
    /// The file was not written by handfast.
    Foreign,
    /// Both have changed the same lines.
    Conflicts(Vec<Conflict>),
}

impl OnDisk {
    /// Reads what belongs to a generated file.
    pub(super) fn read(root: &Path, generated: Generated) -> Result<Self, CommandError> {
        let ours = read(root, &generated.file)?;
        let base = read(root, &generated.base_file())?;
        Ok(Self { generated, ours, base })
    }

    /// What the file becomes.
    pub(super) fn merged(&self, take: Option<Take>) -> Result<String, Apart> {
        let Some(ours) = &self.ours else { return Ok(self.generated.parts.text()) };
        let parts = Parts::parse(ours).map_err(Apart::Marks)?;
        if parts.regions().next().is_none() {
            return match take {
                Some(Take::Generated) => Ok(self.generated.parts.text()),
                Some(Take::Ours) => Ok(ours.clone()),
                None => Err(Apart::Foreign),
            };
        }
        // A base that cannot be read is none: then only what is the same is sure.
        let base = self.base.as_ref().and_then(|base| Parts::parse(base).ok());
        merge(base.as_ref(), &parts, &self.generated.parts, take).map_err(Apart::Conflicts)
    }

    /// Where it is, relative to the project.
    pub(super) fn file(&self) -> &str {
        &self.generated.file
    }

    pub(super) fn service(&self) -> Service {
        self.generated.service
    }
}

impl Apart {
    /// What is to be told, and how it is mended.
    pub(super) fn told(&self, file: &str) -> (String, String) {
        match self {
            Self::Marks(error) => (
                format!("{file}: {error}"),
                format!("put the marks back as they stand in {file}.base"),
            ),
            Self::Foreign => (
                format!("{file} is there and was not written by handfast"),
                "move it away, choose another file in [ci], or replace it with `handfast ci generate --take generated`".to_owned(),
            ),
            Self::Conflicts(conflicts) => (
                conflicts.iter().map(|conflict| shown(file, conflict)).collect::<Vec<_>>().join("\n"),
                fix(conflicts),
            ),
        }
    }
}

fn fix(conflicts: &[Conflict]) -> String {
    let keep = "keep what stands in the file with `handfast ci generate --take ours`";
    if conflicts.iter().any(|conflict| conflict.continued.is_some()) {
        return format!("{keep}, or move or delete your own lines behind the region");
    }
    format!("{keep}, or drop it with `--take generated`")
}

/// A conflict with both texts.
fn shown(file: &str, conflict: &Conflict) -> String {
    let place = match conflict.line {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    };
    if let Some(own) = &conflict.continued {
        return format!(
            "{place}: the region {:?} is generated no more, and your own lines behind it continue it:\n    {own}\n",
            conflict.region,
        );
    }
    let text = |text: &Option<String>| match text {
        Some(text) => text.lines().flat_map(|line| ["    ", line, "\n"]).collect(),
        None => "    (not there)\n".to_owned(),
    };
    format!(
        "{place}: the region {:?} was edited, and is generated otherwise by now\n  in the file:\n{}  generated:\n{}",
        conflict.region,
        text(&conflict.ours),
        text(&conflict.generated),
    )
}

fn read(root: &Path, file: &str) -> Result<Option<String>, CommandError> {
    match fs::read(root.join(file)) {
        Ok(bytes) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| CommandError::usage_text(format!("{file} is no text"), "move it away")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CommandError::infra(&error, &format!("{file} cannot be read"))),
    }
}

/// Writes a file as a whole or not at all; the folder is made if it is missing.
pub(super) fn write(root: &Path, file: &str, text: &str) -> Result<(), CommandError> {
    let path = root.join(file);
    let part = root.join(format!("{file}.part"));
    let folder = path.parent().unwrap_or(root);
    let written = fs::create_dir_all(folder)
        .and_then(|()| fs::write(&part, text))
        .and_then(|()| fs::rename(&part, &path));
    written.map_err(|error| CommandError::infra(&error, &format!("{file} cannot be written")))
}
