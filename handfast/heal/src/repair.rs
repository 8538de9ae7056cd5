//! What is repaired after a round of failures, and what is run again: only what the fault hit.

use std::collections::{BTreeMap, BTreeSet};

use handfast_scenario::plan::UnitId;

use crate::class::{Class, Classified};
use crate::failure::{Failure, Subject};
use crate::fault::{InfraFault, Remedy};

#[cfg(test)]
mod tests;

/// One thing to repair, and what to run again once that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The fault.
    pub fault: InfraFault,
    /// The one thing.
    pub remedy: Remedy,
    /// The units that failed by it, each of which stands in no other repair. Nothing else is run again.
    pub again: BTreeSet<UnitId>,
}

/// What is done about a round of failures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repairs {
    /// What is repaired, each thing once however many units it hit.
    pub repairs: Vec<Repair>,
    /// Failures by a fault that only a person can repair, with the fault.
    pub left: Vec<(UnitId, InfraFault)>,
}

/// Plans the repairs after a round: of all that failed, with its class.
///
/// What is product, flaky, known, or infra without a proved fault, is in none of them.
pub fn plan<'a>(round: impl IntoIterator<Item = (&'a Failure, &'a Classified)>) -> Repairs {
    let mut repairs: BTreeMap<(Remedy, InfraFault), BTreeSet<UnitId>> = BTreeMap::new();
    let mut left = Vec::new();
    for (failure, classified) in round {
        let (Subject::Unit(unit), Class::Infra { fault: Some(fault) }) =
            (&failure.subject, &classified.class)
        else {
            continue;
        };
        match &classified.remedy {
            Some(remedy) => {
                let again = repairs.entry((remedy.clone(), *fault)).or_default();
                again.insert(unit.clone());
            }
            None => left.push((unit.clone(), *fault)),
        }
    }
    let repair = |((remedy, fault), again)| Repair { fault, remedy, again };
    Repairs { repairs: repairs.into_iter().map(repair).collect(), left }
}
