//! Each scenario with the same build and no flaw: what fails there, too, says nothing of a flaw.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use handfast_scenario::name::{PeerName, RoleName};
use handfast_scenario::plan::UnitId;
use handfast_scenario::verdict::Verdict;
use tokio::sync::OnceCell;

use super::attempts::Casting;
use super::recast;
use crate::project::Loaded;
use crate::unit::{self, Again, Surroundings};

/// The verdicts without a flaw, each made once, when it is first asked for.
#[derive(Debug)]
pub(super) struct Control {
    around: Arc<Surroundings>,
    loaded: Arc<Loaded>,
    peer: PeerName,
    verdicts: Mutex<BTreeMap<(UnitId, RoleName), Once>>,
}

/// A verdict that whoever needs it first makes, and the others wait for.
type Once = Arc<OnceCell<Verdict>>;

impl Control {
    pub(super) fn new(around: Arc<Surroundings>, loaded: Arc<Loaded>, peer: PeerName) -> Self {
        Self { around, loaded, peer, verdicts: Mutex::default() }
    }

    /// Whether the scenario passes without a flaw.
    pub(super) async fn passes(&self, casting: &Casting) -> bool {
        let cell = {
            let mut verdicts = self.verdicts.lock().unwrap_or_else(PoisonError::into_inner);
            let key = (casting.unit.id.clone(), casting.role.clone());
            verdicts.entry(key).or_default().clone()
        };
        let verdict = cell.get_or_init(|| async { self.play(casting).await });
        verdict.await.is_passed()
    }

    /// The same, played anew.
    pub(super) async fn passes_now(&self, casting: &Casting) -> bool {
        self.play(casting).await.is_passed()
    }

    async fn play(&self, casting: &Casting) -> Verdict {
        let file = self.loaded.file_of(&casting.unit.scenario);
        let unit = recast(casting, &self.peer);
        unit::run(self.around.clone(), unit, file, Again::Never).await.verdict
    }
}
