//! Choosing test suites.

use handfast_runner::project::Loaded;
use handfast_scenario::Plan;

use crate::error::CommandError;

/// Which suites, in place of scenarios.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SuiteArgs {
    /// Only this test suite of handfast.toml, and no scenario; may be given more than once
    #[arg(long, value_name = "SUITE", conflicts_with_all = ["filters", "category", "peer", "all"])]
    suite: Vec<String>,
}

impl SuiteArgs {
    /// Whether a suite was named.
    pub(super) fn is_choice(&self) -> bool {
        !self.suite.is_empty()
    }

    /// Leaves in a plan what was asked for; unchanged if no suite was named.
    pub(super) fn only(&self, loaded: &Loaded, plan: &mut Plan) -> Result<(), CommandError> {
        if self.suite.is_empty() {
            return Ok(());
        }
        let all = &loaded.project.suites;
        let is_unknown = |name: &&String| !all.iter().any(|suite| suite.name.as_str() == *name);
        if let Some(name) = self.suite.iter().find(is_unknown) {
            let known: Vec<&str> = all.iter().map(|suite| suite.name.as_str()).collect();
            let error = format!("handfast.toml has no suite {name:?}");
            return Err(CommandError::usage_text(error, format!("it has {}", known.join(", "))));
        }
        plan.units.clear();
        let named = |name: &str| self.suite.iter().any(|suite| suite == name);
        plan.suites = all.iter().filter(|suite| named(suite.name.as_str())).cloned().collect();
        Ok(())
    }
}
