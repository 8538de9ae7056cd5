//! One flaw, until a scenario sees it or none is left.

use std::sync::Arc;

use handfast_scenario::name::PeerName;
use handfast_scenario::verdict::Verdict;

use super::attempts::Casting;
use super::catalogue::Flaw;
use super::control::Control;
use super::{Fate, SOUGHT_MAX, Settled, recast};
use crate::project::Loaded;
use crate::unit::{self, Again, Ended, Surroundings, micros};

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
        let (mut played, mut infra, mut spoilt, mut healed) = (0, 0, Vec::new(), Vec::new());
        let mut fate = None;
        let all = castings.len();
        for (tried, casting) in castings.into_iter().enumerate() {
            if self.around.interrupt.is_pulled() {
                fate = Some(Fate::Open);
                break;
            }
            if clock.now_us().saturating_sub(began_us) > micros(SOUGHT_MAX) {
                fate = Some(Fate::Missed { infra, untried: all - tried });
                break;
            }
            let ended = self.play(&casting).await;
            if ended.healings.iter().any(|healing| healing.is_healed) {
                healed.push(format!("{} ({})", casting.unit.scenario.id, casting.role));
            }
            let verdict = ended.verdict;
            played += usize::from(!matches!(verdict, Verdict::Unsupported { .. }));
            infra += usize::from(matches!(verdict, Verdict::Infra { .. } | Verdict::Absent { .. }));
            if !is_against_product(&verdict) {
                continue;
            }
            let scenario = casting.unit.scenario.id.to_string();
            if self.is_told_apart(&casting).await {
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
        let fate = fate.unwrap_or(Fate::Missed { infra, untried: 0 });
        let took_us = clock.now_us().saturating_sub(began_us);
        Settled { flaw: self.flaw, fate, took_us, played, spoilt, healed }
    }

    /// Whether a scenario that failed with the flaw passes without it. Where it failed without it, too, which may be the machine's doing,
    /// it has to pass without it once more and to fail with it once more.
    async fn is_told_apart(&self, casting: &Casting) -> bool {
        self.control.passes(casting).await
            || (self.control.passes_now(casting).await
                && is_against_product(&self.play(casting).await.verdict))
    }

    async fn play(&self, casting: &Casting) -> Ended {
        let file = self.loaded.file_of(&casting.unit.scenario);
        let unit = recast(casting, &self.name);
        unit::run(self.around.clone(), unit, file, Again::IfFailed).await
    }
}

fn is_against_product(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Failed { .. } | Verdict::TimedOut { .. } => true,
        Verdict::Passed
        | Verdict::Infra { .. }
        | Verdict::Unsupported { .. }
        | Verdict::Absent { .. }
        | Verdict::DidNotFit { .. } => false,
    }
}
