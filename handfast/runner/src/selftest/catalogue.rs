//! The flaws that a peer says it can have: one a line, its name, a tab, and what is wrong then.

use std::collections::BTreeMap;

use handfast_lab::Exit;
use handfast_scenario::flaws::{FLAWS_MAX, FlawedBuild};
use handfast_scenario::name::PeerName;

use crate::command::{Outputs, Program, Stream, Workshop};
use crate::place::Places;
use crate::unit::chain;

/// One of a peer's planted flaws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// Its name, of the shape of a peer's name.
    pub name: PeerName,
    /// What is wrong, in a sentence.
    pub sentence: String,
}

/// Asks a peer for its flaws.
///
/// # Errors
///
/// Why there is no list, in one line.
pub async fn read(
    workshop: &Workshop,
    places: &Places,
    flawed: &FlawedBuild,
) -> Result<Vec<Flaw>, String> {
    let program = Program {
        words: places.fill(&flawed.list),
        folder: places.root().to_owned(),
        env: BTreeMap::new(),
    };
    let mut lines = Vec::new();
    let exit = workshop.run(&program, Outputs::Apart, |stream, line| {
        if stream == Stream::Out && lines.len() <= FLAWS_MAX {
            lines.push(line);
        }
    });
    match exit.await {
        Ok(Exit::Code(0)) => parse(&lines).map_err(|why| format!("`{}` {why}", program.text())),
        Ok(exit) => Err(format!("`{}` ended with {exit}", program.text())),
        Err(error) => Err(chain(&error)),
    }
}

fn parse(lines: &[String]) -> Result<Vec<Flaw>, String> {
    if lines.len() > FLAWS_MAX {
        return Err(format!("lists more than {FLAWS_MAX} flaws"));
    }
    let mut flaws: Vec<Flaw> = Vec::new();
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let Some((name, sentence)) = line.split_once('\t') else {
            return Err(format!("printed {line:?}, expected a name, a tab and a sentence"));
        };
        let name = PeerName::new(name).map_err(|error| format!("names {name:?}: {error}"))?;
        if flaws.iter().any(|other| other.name == name) {
            return Err(format!("lists {name} twice"));
        }
        flaws.push(Flaw { name, sentence: sentence.trim().to_owned() });
    }
    if flaws.is_empty() { Err("lists no flaw".to_owned()) } else { Ok(flaws) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: Result<&[&str], &str>) {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        let parsed = parse(&lines);
        let names = parsed
            .as_ref()
            .map(|flaws| flaws.iter().map(|flaw| flaw.name.as_str()).collect::<Vec<_>>());
        assert_eq!(names.as_deref().map_err(|why| why.as_str()), expected);
    }

    #[test]
    fn names_and_sentences_are_read() {
        check(&["deaf\tHears nothing.", "", "dumb\tSays nothing."], Ok(&["deaf", "dumb"]));
    }

    #[test]
    fn whatever_else_is_printed_is_named() {
        check(&["deaf"], Err("printed \"deaf\", expected a name, a tab and a sentence"));
        check(
            &["a b\tx"],
            Err("names \"a b\": ' ' cannot stand in a name; letters, digits, '.', '_' and '-' can"),
        );
        check(&["a\tx", "a\ty"], Err("lists a twice"));
        check(&[], Err("lists no flaw"));
    }

    #[test]
    fn more_flaws_than_the_limit_are_refused() {
        let lines: Vec<String> = (0..=FLAWS_MAX).map(|n| format!("f{n}\tx")).collect();
        assert_eq!(parse(&lines), Err(format!("lists more than {FLAWS_MAX} flaws")));
        assert_eq!(parse(&lines[..FLAWS_MAX]).map(|flaws| flaws.len()), Ok(FLAWS_MAX));
    }
}
