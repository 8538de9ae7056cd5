//! Three texts into one: what was generated last (the base), what people made of it, what is generated now.
//!
//! Own lines are never touched, and those that continue a region (steps behind a job) stay with it. A region changes as in a three-way
//! merge: whoever has changed it since the base wins; where both have, their lines are merged, and where those meet, nothing is decided
//! here: that is a [`Conflict`].

use std::collections::{BTreeMap, BTreeSet};

use crate::region::{Part, Parts, Region};

/// A region that both sides have changed where they meet, or that cannot go because somebody's own lines continue it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The region.
    pub region: String,
    /// The line, from 1, in which it begins in the file; `None` if it was taken out.
    pub line: Option<usize>,
    /// What it is in the file.
    pub ours: Option<String>,
    /// What it would be.
    pub generated: Option<String>,
    /// The first of somebody's own lines that continue the region, which is to go: alone they would continue another one.
    pub continued: Option<String>,
}

/// Who wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// Where both meet, what stands in the file.
    Ours,
    /// In every region what is generated; also where it alone was edited or taken out.
    Generated,
}

/// Merges `generated` into `ours`; `base` is what was generated last, `None` if nobody knows.
///
/// Laws: with `ours` as the base the result is `generated`; with `generated` as the base it is `ours`; merging the result again
/// changes nothing; own lines come out as they went in, in their order, up to empty ones beside a region that is gone.
///
/// # Errors
///
/// Every [`Conflict`], if `take` does not say who wins; and a region that is to go, if own lines continue it.
pub fn merge(
    base: Option<&Parts>,
    ours: &Parts,
    generated: &Parts,
    take: Option<Take>,
) -> Result<String, Vec<Conflict>> {
    if base == Some(ours) {
        return Ok(generated.text());
    }
    let mut decided = BTreeMap::new();
    let mut conflicts = Vec::new();
    let names: BTreeSet<&String> =
        ours.regions().chain(generated.regions()).map(|region| &region.name).collect();
    for name in names {
        let three = Three {
            base: base.map_or(Base::Unknown, |base| Base::Known(text(base, name))),
            ours: text(ours, name),
            generated: text(generated, name),
        };
        let text = match (three.decide(), take) {
            (_, Some(Take::Generated)) => Some(three.generated.map(str::to_owned)),
            (Decision::Becomes(text), _) => Some(text),
            (Decision::Open, Some(Take::Ours)) => Some(three.ours.map(str::to_owned)),
            (Decision::Open, None) => None,
        };
        let goes = three.ours.is_some() && text == Some(None);
        let continued = goes.then(|| continuation(ours, name)).flatten();
        match (text, continued, take) {
            (Some(_), Some(_), Some(Take::Ours)) => {
                decided.insert(name.as_str(), three.ours.map(str::to_owned));
            }
            (Some(text), None, _) => {
                decided.insert(name.as_str(), text);
            }
            (None, continued, _) | (Some(_), continued @ Some(_), _) => conflicts.push(Conflict {
                region: name.clone(),
                line: ours.line_of(name),
                ours: three.ours.map(str::to_owned),
                generated: three.generated.map(str::to_owned),
                continued: continued.map(str::to_owned),
            }),
        }
    }
    if conflicts.is_empty() { Ok(assemble(ours, generated, &decided)) } else { Err(conflicts) }
}

fn text<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.region(name).map(|region| region.text.as_str())
}

/// The first of the own lines behind a region that continue it, as a step continues a job: they are indented deeper than its marks.
fn continuation<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    let at = parts.0.iter().position(|part| is_region(part, name))?;
    let (Part::Generated(region), Part::Own(own)) = (parts.0.get(at)?, parts.0.get(at + 1)?) else {
        return None;
    };
    let indent = |line: &str| line.len() - line.trim_start().len();
    let says = |line: &&str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    own.lines().find(says).filter(|line| indent(line) > indent(&region.text))
}

fn is_region(part: &Part, name: &str) -> bool {
    matches!(part, Part::Generated(region) if region.name == name)
}

/// One region in three texts.
struct Three<'a> {
    base: Base<'a>,
    ours: Option<&'a str>,
    generated: Option<&'a str>,
}

/// What is known of a region from the last generation.
#[derive(Debug, Clone, Copy)]
enum Base<'a> {
    /// Nobody knows.
    Unknown,
    /// It had this text; `None`: it was not there.
    Known(Option<&'a str>),
}

/// What becomes of a region.
enum Decision {
    /// This text; `None`: it goes.
    Becomes(Option<String>),
    /// Nobody here can say.
    Open,
}

impl Three<'_> {
    fn decide(&self) -> Decision {
        let becomes = |text: Option<&str>| Decision::Becomes(text.map(str::to_owned));
        let (ours, generated) = (self.ours, self.generated);
        match self.base {
            _ if ours == generated => becomes(ours),
            Base::Known(base) if base == ours => becomes(generated),
            Base::Known(base) if base == generated => becomes(ours),
            // New, and nobody has ever known it.
            Base::Unknown | Base::Known(None) if ours.is_none() => becomes(generated),
            Base::Known(Some(base)) => match (ours, generated) {
                (Some(ours), Some(generated)) => lines(base, ours, generated)
                    .map_or(Decision::Open, |text| Decision::Becomes(Some(text))),
                (_, _) => Decision::Open,
            },
            Base::Unknown | Base::Known(None) => Decision::Open,
        }
    }
}

/// Merges by lines; `None` where both have changed the same ones, or neighbours.
fn lines(base: &str, ours: &str, generated: &str) -> Option<String> {
    let merged = diffy::merge(base, ours, generated).ok()?;
    // Two insertions at one place have no order of their own: then nobody knows what was meant.
    let mirrored = diffy::merge(base, generated, ours).ok()?;
    (merged == mirrored).then_some(merged)
}

fn assemble(ours: &Parts, generated: &Parts, decided: &BTreeMap<&str, Option<String>>) -> String {
    let region = |name: &str| {
        let text = decided.get(name).cloned().flatten();
        text.map(|text| Part::Generated(Region { name: name.to_owned(), text }))
    };
    let mut parts: Vec<Part> = Vec::new();
    let mut gap = false;
    for part in &ours.0 {
        match part {
            Part::Own(text) => {
                // The empty line that parted a region from its neighbour goes with it.
                let text = if gap { text.strip_prefix('\n').unwrap_or(text) } else { text };
                parts.push(Part::Own(text.to_owned()));
                gap = false;
            }
            Part::Generated(known) => match region(&known.name) {
                Some(region) => parts.push(region),
                None => gap = true,
            },
        }
    }
    let mut last: Option<&str> = None;
    for new in generated.regions() {
        if let Some(region) = region(&new.name).filter(|_| ours.region(&new.name).is_none()) {
            insert(&mut parts, last, region);
        }
        if decided.get(new.name.as_str()).is_some_and(Option::is_some) {
            last = Some(&new.name);
        }
    }
    Parts(parts).text()
}

/// Puts a new region behind the one that it follows where it was generated, and behind the own lines that follow that one: they may
/// continue it.
fn insert(parts: &mut Vec<Part>, after: Option<&str>, region: Part) {
    let found = after.and_then(|name| parts.iter().position(|part| is_region(part, name)));
    let Some(at) = found else {
        let first = parts.len().min(1);
        parts.insert(first, Part::Own("\n".to_owned()));
        parts.insert(first, region);
        return;
    };
    let is_last = at + 2 >= parts.len();
    if let Some(Part::Generated(before)) = parts.get_mut(at)
        && !before.text.ends_with('\n')
    {
        before.text.push('\n');
    }
    if let Some(Part::Own(own)) = parts.get_mut(at + 1) {
        if !own.is_empty() && !own.ends_with('\n') {
            own.push('\n');
        }
        if own != "\n" && !own.ends_with("\n\n") {
            own.push('\n');
        }
    }
    let behind = if is_last { "" } else { "\n" };
    parts.insert(at + 2, Part::Own(behind.to_owned()));
    parts.insert(at + 2, region);
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
