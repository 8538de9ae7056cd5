//! One flaw, until a scenario sees it or none is left.

use std::sync::Arc;

use handfast_scenario::name::PeerName;
use handfast_scenario::verdict::Verdict;

use super::attempts::Casting;
use super::catalogue::Flaw;
use super::control::Control;
use super::{Fate, Settled, recast};
use crate::project::Loaded;
use crate::unit::{self, Again, Surroundings};

/// The search for one flaw.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) around: Arc<Surroundings>,
    pub(super) loaded: Arc<Loaded>,
    pub(super) control: Arc<Control>,
    /// The peer with the flaw.
    pub(super) name: PeerName,
    pub(super) flaw: Flaw,
}

impl Search {
    /// Plays one casting after the other.
    pub(super) async fn run(self, castings: Vec<Casting>) -> Settled {
        let clock = self.around.mouth.clock();
        let began_us = clock.now_us();
        let (mut played, mut infra, mut spoilt) = (0, 0, Vec::new());
        let mut fate = None;
        for casting in castings {
            if self.around.interrupt.is_pulled() {
                fate = Some(Fate::Open);
                break;
            }
            let file = self.loaded.file_of(&casting.unit.scenario);
            let unit = recast(&casting, &self.name);
            let verdict = unit::run(self.around.clone(), unit, file, Again::Never).await.verdict;
            let is_against_product = match &verdict {
                Verdict::Failed { .. } | Verdict::TimedOut { .. } => true,
                Verdict::Passed
                | Verdict::Infra { .. }
                | Verdict::Unsupported { .. }
                | Verdict::Absent { .. } => false,
            };
            played += usize::from(!matches!(verdict, Verdict::Unsupported { .. }));
            infra += usize::from(matches!(verdict, Verdict::Infra { .. } | Verdict::Absent { .. }));
            if !is_against_product {
                continue;
            }
            let scenario = casting.unit.scenario.id.to_string();
            if self.control.passes(&casting).await {
                fate =
                    Some(Fate::Caught { scenario, role: casting.role, reason: verdict.reason() });
                break;
            }
            spoilt.push(format!("{scenario} ({})", casting.role));
        }
        // An interrupted control has not passed, which says nothing of the scenario.
        if self.around.interrupt.is_pulled() && !matches!(fate, Some(Fate::Caught { .. })) {
            (fate, spoilt) = (Some(Fate::Open), Vec::new());
        }
        let fate = fate.unwrap_or(Fate::Missed { infra });
        let took_us = clock.now_us().saturating_sub(began_us);
        Settled { flaw: self.flaw, fate, took_us, played, spoilt }
    }
}
