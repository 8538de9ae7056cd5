//! `--network`

use clap::ValueEnum;
use handfast_lab::net::Ask;
use handfast_runner::unit::NetworkAsk;

/// How the networks of scenarios are made.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct NetworkArgs {
    /// How scenarios get the network they ask for
    #[arg(long, value_name = "MEANS", value_enum, default_value_t = Means::Auto)]
    network: Means,
}

/// What a person can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Means {
    /// Namespaces where this host gives them, otherwise proxies; the report says which
    Auto,
    /// Namespaces or nothing: without them a scenario that needs a network is infra
    Namespaces,
    /// Namespaces inside a user namespace, also for root
    Rootless,
    /// No namespaces: proxies delay, slow and cut streams, and the report says what is only approximated
    Proxies,
}

impl NetworkArgs {
    /// What the runner is told.
    pub(super) fn ask(&self) -> NetworkAsk {
        match self.network {
            Means::Auto => NetworkAsk { ask: Ask::Auto, insists: false },
            Means::Namespaces => NetworkAsk { ask: Ask::Auto, insists: true },
            Means::Rootless => NetworkAsk { ask: Ask::Rootless, insists: true },
            Means::Proxies => {
                let why = "--network proxies".to_owned();
                NetworkAsk { ask: Ask::Proxies { why }, insists: false }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        network: NetworkArgs,
    }

    fn ask(words: &[&str]) -> NetworkAsk {
        Line::try_parse_from(["x"].iter().chain(words)).unwrap().network.ask()
    }

    #[test]
    fn only_auto_and_proxies_do_without_namespaces() {
        assert_eq!(ask(&[]).ask, Ask::Auto);
        assert!(!ask(&[]).insists && !ask(&["--network", "proxies"]).insists);
        assert!(matches!(ask(&["--network", "proxies"]).ask, Ask::Proxies { .. }));
        assert!(ask(&["--network", "namespaces"]).insists);
        assert_eq!(ask(&["--network", "rootless"]).ask, Ask::Rootless);
        assert!(Line::try_parse_from(["x", "--network", "netem"]).is_err());
    }
}
