//! A scenario: who takes part, what happens, what must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use handfast_faults::conditions::Conditions;
use handfast_faults::disturbance::{Disturbance, What};
use handfast_faults::{kinds, preset};
use serde_json::Value;

use crate::name::{CategoryName, MethodName, PeerName, ResourceName, RoleName};
use crate::problem::Problems;
use crate::read;
use crate::span::Span;
use crate::step::Step;
use crate::template::Template;

/// Most steps a scenario may have, steps inside steps included.
pub const STEPS_MAX: usize = 1_000;

/// Most roles a scenario may have.
pub const ROLES_MAX: usize = 64;

/// Most variants a scenario file may name.
pub const VARIANTS_MAX: usize = 256;

/// Most disturbances a scenario may have.
pub const DISTURBANCES_MAX: usize = 256;

/// Longest value of a variable of a variant, as JSON, in bytes.
pub const VARIABLE_LEN_MAX: usize = 4 * 1024;

/// Largest scenario file, in bytes.
pub const FILE_LEN_MAX: usize = 1024 * 1024;

/// A validated scenario: every role, capture and method in it is known, every duration is read.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it is called on a command line.
    pub id: ScenarioId,
    /// The file it came from, as given to [`Scenario::parse`].
    pub file: String,
    /// One sentence that says what is proved.
    pub name: String,
    /// Ids of the catalogue that this file proves, such as `TC-05`.
    pub proves: Vec<String>,
    /// Methods each peer has to offer; without one of them the unit is unsupported, not failed.
    pub requires: BTreeSet<MethodName>,
    /// The category the file names; otherwise the file's name decides by the project's patterns.
    pub category: Option<CategoryName>,
    /// The most that it may take; otherwise that of its category. Longer than that of its category it never is.
    pub timeout: Option<Duration>,
    /// What it needs of the machine while it runs.
    pub needs: Needs,
    /// What the links between the roles are like from the beginning.
    pub network: Network,
    /// What is done to the network, to processes, clocks and resources while the steps go on.
    pub disturbances: Vec<Disturbance>,
    /// Where each of them stands in the file; one that was not read from it has no place.
    pub disturbed_at: Vec<Span>,
    /// Who takes part.
    pub roles: BTreeMap<RoleName, Role>,
    /// What the roles are told of each other before the first step.
    pub introduce: Introduce,
    /// Which roles are told to connect by themselves to all others when they are introduced.
    pub connect: BTreeSet<RoleName>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// The variables of this variant, known to every template of the file.
    pub variables: BTreeMap<String, Value>,
}

/// What a scenario needs of the machine while it runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// Nothing else runs beside it.
    pub alone: bool,
    /// How much it takes of which resource of the project, 1 or more each.
    pub uses: BTreeMap<ResourceName, u32>,
}

/// What a scenario is called: its path without the `.toml`, and the variant in brackets.
///
/// Example: `interop/test_e2e_both_sides_agree_on_a_version[a=1.0,b=both]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScenarioId {
    path: String,
    variant: Option<String>,
}

/// What the links between the roles are like from the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Network {
    /// Nothing is added to what the machine's loopback does.
    #[default]
    None,
    /// A real link, by its name in `handfast_faults::preset`.
    Preset(&'static str),
    /// These conditions, in each direction of each link.
    Own(Conditions),
}

impl Network {
    /// The word for it in plans and results: `none`, the name of the preset, or `own`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Preset(name) => name,
            Self::Own(_) => "own",
        }
    }

    /// What it asks of every link, for people: empty, the name of the preset, or the conditions.
    pub fn describe(&self) -> String {
        match self {
            Self::None => String::new(),
            Self::Preset(name) => (*name).to_owned(),
            Self::Own(conditions) => conditions.to_string(),
        }
    }

    /// What a direction is like. A preset is asymmetric: of two roles the one whose name comes first has the link, so that what it
    /// sends goes up and what it gets comes down.
    pub fn toward(&self, from: &str, to: &str) -> Conditions {
        match self {
            Self::None => Conditions::default(),
            Self::Preset(name) => preset(name)
                .map(|preset| if from < to { preset.up.clone() } else { preset.down.clone() })
                .unwrap_or_default(),
            Self::Own(conditions) => conditions.clone(),
        }
    }
}

/// A part somebody plays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Role {
    /// The peer that must play it; otherwise the command line or the project decides.
    pub peer: Option<PeerName>,
    /// The value of `HANDFAST_PROTOCOL`.
    pub protocol: Option<String>,
    /// Further environment, after the project's. Its texts may have holes for the facts of other roles: see [`Role::needs`].
    pub env: BTreeMap<String, String>,
    /// What others are told as its address, where that is not its own: a text with holes for the facts of any role.
    pub address: Option<String>,
    /// Further arguments, after the project's.
    pub args: Vec<String>,
    /// Where the role is declared; nowhere for the roles `a` and `b` of a file without `[roles]`.
    pub span: Span,
}

impl Role {
    /// The roles whose facts its environment names; it starts after them.
    pub fn needs(&self) -> BTreeSet<RoleName> {
        self.env.values().flat_map(|text| roles_in(text)).collect()
    }

    /// The roles that stand between it and whoever is told of it: those that its address names.
    pub fn stands_behind(&self) -> BTreeSet<RoleName> {
        self.address.iter().flat_map(|text| roles_in(text)).collect()
    }
}

/// The roles whose facts a text names.
fn roles_in(text: &str) -> BTreeSet<RoleName> {
    let names = Template::new(text.into()).map(|template| template.names()).unwrap_or_default();
    let roles = names.iter().filter_map(|name| RoleName::new(name.split_once('.')?.0).ok());
    roles.collect()
}

/// What the roles are told of each other once all have started (and a role that is started again).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Introduce {
    /// Each is told name, address (through the wire tap) and key of every other.
    All,
    /// Each is told name and address; the key has to be learnt.
    Addresses,
    /// Nothing: the steps do it.
    Nobody,
}

/// Words that are known outside this crate, to check a file against.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary {
    /// Names of oracles that `check` may use; empty: any.
    pub oracles: BTreeSet<String>,
}

impl Scenario {
    /// Reads a scenario file and gives one scenario for each of its variants, at least one.
    ///
    /// `file` is the path relative to the scenario folder with `/` between its parts; it becomes the
    /// id and is named in errors.
    ///
    /// # Errors
    ///
    /// [`Problems`] lists every mistake of the file with its line and column and the fix.
    pub fn parse(file: &str, text: &str, vocabulary: &Vocabulary) -> Result<Vec<Self>, Problems> {
        read::scenario(file, text, vocabulary)
    }

    /// Whether its peers have to talk over a network of their own: it asks for conditions, or disturbs a link.
    pub fn needs_network(&self) -> bool {
        let on_a_link = |disturbance: &Disturbance| match disturbance.what {
            What::Network { .. } | What::Cut { .. } => true,
            What::Kill { .. }
            | What::Pause { .. }
            | What::CrashLoop { .. }
            | What::Clock { .. }
            | What::Limit { .. } => false,
        };
        self.network != Network::None || self.disturbances.iter().any(on_a_link)
    }

    /// The kinds of faults that it asks for of links, processes, clocks and resources ([`kinds::KINDS`]); what its steps do
    /// themselves is not among them.
    pub fn faults(&self) -> BTreeSet<&'static str> {
        let links = ["a", "b"].map(|from| {
            let to = if from == "a" { "b" } else { "a" };
            kinds::of_conditions(&self.network.toward(from, to))
        });
        let disturbances = self.disturbances.iter();
        let disturbed =
            disturbances.flat_map(|disturbance| kinds::of_disturbance(&disturbance.what));
        links.into_iter().flatten().chain(disturbed).collect()
    }
}

impl ScenarioId {
    /// The id of the file `file` and, for one of several variants, its text.
    pub fn new(file: &str, variant: Option<String>) -> Self {
        let path = file.strip_suffix(".toml").unwrap_or(file).to_owned();
        Self { path, variant }
    }

    /// The path without extension, such as `meeting/test_integration_two_peers_meet`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The last part of the path, which the category patterns look at.
    pub fn stem(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// The variant, such as `a=1.0,b=both`.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }
}

impl fmt::Display for ScenarioId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.variant {
            None => formatter.pad(&self.path),
            Some(variant) => formatter.pad(&format!("{}[{variant}]", self.path)),
        }
    }
}
