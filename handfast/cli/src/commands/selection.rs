//! Choosing scenarios and peers, for all commands that do.

use std::str::FromStr;

use handfast_runner::project::Loaded;
use handfast_scenario::Plan;
use handfast_scenario::filter::Filter;
use handfast_scenario::name::{CategoryName, PeerName, RoleName};
use handfast_scenario::plan::{PlanError, Selection};

use crate::around::Around;
use crate::error::CommandError;

/// Which scenarios, with which peers.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct SelectionArgs {
    /// Only what one of these matches: part of a scenario's id or name, an id it proves, a category, or a pattern
    /// with `*` and `?`
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Only this category, such as `integration`; may be given more than once
    #[arg(long, value_name = "CATEGORY")]
    pub(crate) category: Vec<String>,
    /// Who plays a role in place of the project's first peer, such as `b=python`; may be given more than once
    #[arg(long, value_name = "ROLE=PEER")]
    pub(crate) peer: Vec<Casting>,
}

/// A role and the peer that plays it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Casting {
    role: RoleName,
    peer: PeerName,
}

impl Casting {
    /// The role, and who plays it.
    pub(crate) fn parts(&self) -> (RoleName, PeerName) {
        (self.role.clone(), self.peer.clone())
    }
}

impl FromStr for Casting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (role, peer) =
            text.split_once('=').ok_or("write a role, `=` and a peer, such as a=entity")?;
        let role = RoleName::new(role).map_err(|error| error.to_string())?;
        let peer = PeerName::new(peer).map_err(|error| error.to_string())?;
        Ok(Self { role, peer })
    }
}

impl SelectionArgs {
    /// Makes the plan that these arguments ask for.
    pub(crate) fn plan(&self, loaded: &Loaded) -> Result<Plan, CommandError> {
        let selection = self.selection()?;
        Plan::new(&loaded.project, &loaded.scenarios, &selection).map_err(|error| {
            let help = match &error {
                PlanError::Category(_) => "every scenario has exactly one category: by its name, or by its field `category`",
                PlanError::UnknownPeer { .. } => "the peers of this project stand in handfast.toml under [peers.NAME]",
                PlanError::UnknownCategory { .. } => "`handfast list` shows the categories",
                PlanError::UnknownRole { .. } => "`handfast list` shows the roles of each scenario",
                PlanError::Resource { .. } => "the resources of this project stand in handfast.toml under [resources]",
                PlanError::NoPeer { .. } => "a scenario needs somebody to play its roles",
            };
            CommandError::usage_text(error, help)
        })
    }

    /// Whether they choose every scenario, with the peers that the project names.
    pub(crate) fn is_whole(&self) -> bool {
        self.filters.is_empty() && self.category.is_empty() && self.peer.is_empty()
    }

    /// What these arguments choose.
    pub(crate) fn selection(&self) -> Result<Selection, CommandError> {
        let help = "quote a pattern for the shell, such as 'ab.*'";
        let filters = self.filters.iter().map(|text| Filter::new(text));
        let filters: Result<_, globset::Error> = filters.collect();
        let categories = self.category.iter().map(|text| CategoryName::new(text.clone()));
        let categories: Result<_, _> = categories.collect();
        Ok(Selection {
            filters: filters.map_err(|error| CommandError::usage_text(error, help))?,
            categories: categories.map_err(|error| {
                CommandError::usage_text(error, "categories have names such as integration")
            })?,
            peers: self.peer.iter().map(|cast| (cast.role.clone(), cast.peer.clone())).collect(),
        })
    }
}

/// Reads the project that the program was called in.
pub(crate) fn load(around: &Around) -> Result<Loaded, CommandError> {
    Loaded::find(&around.folder).map_err(CommandError::usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_casting_names_a_role_and_a_peer() {
        let casting: Casting = "b=python".parse().unwrap();
        assert_eq!((casting.role.as_str(), casting.peer.as_str()), ("b", "python"));
        assert!("b".parse::<Casting>().is_err());
        assert!("b=".parse::<Casting>().is_err());
    }
}
