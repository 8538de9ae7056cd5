//! The schedule as a service of systemd: the text of its unit.

use std::fmt::Write as _;

/// What the unit is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// The project's name.
    pub project: String,
    /// Its folder, absolute.
    pub folder: String,
    /// The program, absolute.
    pub program: String,
    /// Where the programs are that a run calls: `PATH`.
    pub path: Option<String>,
    /// Whose service it is.
    pub owner: Owner,
}

/// Whose service a unit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// The user's own, `systemctl --user`.
    User,
    /// The machine's, running as this user.
    Machine {
        /// The name of the user.
        user: String,
    },
}

/// A text that no unit can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {what} {text:?} has a control character in it, which no unit can hold")]
pub struct Unwritable {
    /// What it is.
    pub what: &'static str,
    /// The text.
    pub text: String,
}

/// Seconds that a run has to end in order before its processes are killed.
pub const STOP_WITHIN_S: u32 = 90;

impl Service {
    /// The text of the unit.
    ///
    /// # Errors
    ///
    /// [`Unwritable`].
    pub fn unit(&self) -> Result<String, Unwritable> {
        for (what, text) in [
            ("name", &self.project),
            ("folder", &self.folder),
            ("program", &self.program),
            ("path", self.path.as_ref().unwrap_or(&self.project)),
        ] {
            if text.chars().any(char::is_control) {
                return Err(Unwritable { what, text: text.clone() });
            }
        }
        Ok(self.text())
    }

    fn text(&self) -> String {
        let mut environment = String::new();
        if let Some(path) = &self.path {
            // Writing to a text cannot fail.
            writeln!(environment, "Environment={}", quoted(&format!("PATH={path}"), Dollar::Plain))
                .unwrap_or_default();
        }
        let (order, user, hardening, target) = match &self.owner {
            Owner::User => ("", String::new(), "", "default.target"),
            Owner::Machine { user } => {
                (ORDER, format!("User={}\n", percent(user)), HARDENING, "multi-user.target")
            }
        };
        let project = percent(&self.project);
        let program = quoted(&self.program, Dollar::Doubled);
        let folder = percent(&self.folder);
        format!(
            "# Written by `handfast schedule systemd`.\n\
             [Unit]\n\
             Description=Handfast schedule of {project}\n\
             {order}\n\
             [Service]\n\
             Type=exec\n\
             {user}WorkingDirectory={folder}\n\
             {environment}ExecStart={program} schedule run\n\
             ExecReload=/bin/kill -HUP $MAINPID\n\
             Restart=on-failure\n\
             RestartSec=10s\n\
             # A wrong handfast.toml does not get better by being read again.\n\
             RestartPreventExitStatus=2\n\
             # The scheduler ends its run in order; whatever is left after this time is killed.\n\
             KillMode=mixed\n\
             TimeoutStopSec={STOP_WITHIN_S}s\n\
             # What no test needs. Not here, because tests may need them: namespaces, the network, memory that is written\n\
             # and run, the home folder, /tmp.\n\
             NoNewPrivileges=yes\n\
             LockPersonality=yes\n\
             RestrictSUIDSGID=yes\n\
             {hardening}\n\
             [Install]\n\
             WantedBy={target}\n"
        )
    }
}

/// After the network, and after the clock is right; a user's systemd does not know these.
const ORDER: &str = "\
Wants=network-online.target
After=network-online.target time-sync.target
";

/// Only the machine's own systemd can do these without namespaces of their own.
const HARDENING: &str = "\
ProtectSystem=full
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectHostname=yes
RestrictRealtime=yes
";

/// Whether `$` begins a variable where the text goes.
#[derive(Clone, Copy)]
enum Dollar {
    Plain,
    Doubled,
}

/// A word of a command or an assignment, in quotes.
fn quoted(text: &str, dollar: Dollar) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match (letter, dollar) {
            ('"' | '\\', _) => {
                quoted.push('\\');
                quoted.push(letter);
            }
            ('%', _) => quoted.push_str("%%"),
            ('$', Dollar::Doubled) => quoted.push_str("$$"),
            (letter, _) => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// A text in which only `%` means something.
fn percent(text: &str) -> String {
    text.replace('%', "%%")
}
