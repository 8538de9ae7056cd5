//! From a project to its files.

use crate::region::{Part, Parts, Region};
use crate::setting::{Setting, SettingError};
use crate::{github, gitlab, kind};

/// Who runs a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// GitHub Actions.
    GitHub,
    /// GitLab.
    GitLab,
}

/// A file as it is generated, before it is merged with anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// Who runs it.
    pub service: Service,
    /// Where it belongs, relative to the project file.
    pub file: String,
    /// Its content.
    pub parts: Parts,
}

impl Generated {
    /// Where the last generated content is kept, with which the next one is compared: beside the file, under a name that
    /// the service does not read.
    pub fn base_file(&self) -> String {
        format!("{}.base", self.file)
    }
}

/// All files of a project: the same bytes for the same project.
///
/// # Errors
///
/// [`SettingError`]: what cannot be meant.
pub fn generate(setting: &Setting<'_>) -> Result<Vec<Generated>, SettingError> {
    let jobs = kind::jobs(setting)?;
    let mut files = vec![Generated {
        service: Service::GitHub,
        file: setting.ci.workflow.clone(),
        parts: file(github::regions(setting, &jobs)),
    }];
    if let Some(gitlab) = &setting.ci.gitlab {
        files.push(Generated {
            service: Service::GitLab,
            file: gitlab.clone(),
            parts: file(gitlab::regions(setting, &jobs)),
        });
    }
    Ok(files)
}

const PREFACE: &str = "\
# Written by `handfast ci generate` from handfast.toml. What stands between the marks >>> and <<< is generated: say it in handfast.toml,
# and generate again. Everything outside of them is yours and stays as it is, also jobs of your own (between two regions, or at the end).

";

/// Regions with an empty line between them.
fn file(regions: Vec<Region>) -> Parts {
    let mut parts = vec![Part::Own(PREFACE.to_owned())];
    let last = regions.len();
    for (index, region) in regions.into_iter().enumerate() {
        parts.push(Part::Generated(region));
        let between = if index + 1 < last { "\n" } else { "" };
        parts.push(Part::Own(between.to_owned()));
    }
    Parts(parts)
}
