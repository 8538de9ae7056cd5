//! The one flaw of this process.

use std::sync::OnceLock;

use crate::Flaw;

static PLANTED: OnceLock<Flaw> = OnceLock::new();

/// A process has one flaw for all its life, so that what is seen can be put down to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlreadyPlanted;

/// Gives the process its flaw. The caller does so before anything else runs.
///
/// # Errors
///
/// [`AlreadyPlanted`]; the first one stays.
pub fn plant(flaw: Flaw) -> Result<(), AlreadyPlanted> {
    PLANTED.set(flaw).map_err(|_| AlreadyPlanted)
}

/// Whether the program has this defect.
pub fn planted(flaw: Flaw) -> bool {
    PLANTED.get() == Some(&flaw)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_first_flaw_stays_the_only_one() {
        assert!(Flaw::ALL.iter().all(|flaw| !planted(*flaw)));
        assert_eq!(plant(Flaw::AcceptsStale), Ok(()));
        assert_eq!(plant(Flaw::CreditsTwice), Err(AlreadyPlanted));
        assert!(planted(Flaw::AcceptsStale) && !planted(Flaw::CreditsTwice));
    }

    #[test]
    fn each_flaw_has_a_name_and_a_sentence_of_its_own() {
        let names: BTreeSet<_> = Flaw::ALL.iter().map(|flaw| flaw.name()).collect();
        let sentences: BTreeSet<_> = Flaw::ALL.iter().map(|flaw| flaw.sentence()).collect();
        assert_eq!((names.len(), sentences.len()), (Flaw::ALL.len(), Flaw::ALL.len()));
        for flaw in Flaw::ALL {
            assert_eq!(Flaw::named(flaw.name()), Some(*flaw));
            assert!(
                flaw.name()
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            );
            assert!(flaw.sentence().ends_with('.') && !flaw.sentence().contains('\t'));
        }
        assert_eq!(Flaw::named("none"), None);
    }
}
