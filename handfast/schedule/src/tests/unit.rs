use crate::unit::{Owner, Service};

fn service(owner: Owner) -> Service {
    Service {
        project: "token 100%".to_owned(),
        folder: "/home/a b/$x%/pro\"ject".to_owned(),
        program: "/opt/h f/hand$fast%".to_owned(),
        path: Some("/usr/bin:/home/a \"b\"/%bin".to_owned()),
        owner,
    }
}

/// The unit of a user, with every letter that means something to systemd in its paths.
const USER: &str = r#"# Written by `handfast schedule systemd`.
[Unit]
Description=Handfast schedule of token 100%%

[Service]
Type=exec
WorkingDirectory=/home/a b/$x%%/pro"ject
Environment="PATH=/usr/bin:/home/a \"b\"/%%bin"
ExecStart="/opt/h f/hand$$fast%%" schedule run
ExecReload=/bin/kill -HUP $MAINPID
Restart=on-failure
RestartSec=10s
# A wrong handfast.toml does not get better by being read again.
RestartPreventExitStatus=2
# The scheduler ends its run in order; whatever is left after this time is killed.
KillMode=mixed
TimeoutStopSec=90s
# What no test needs. Not here, because tests may need them: namespaces, the network, memory that is written
# and run, the home folder, /tmp.
NoNewPrivileges=yes
LockPersonality=yes
RestrictSUIDSGID=yes

[Install]
WantedBy=default.target
"#;

/// What the machine's unit has besides.
const MACHINE: [&str; 4] = [
    "Wants=network-online.target\nAfter=network-online.target time-sync.target\n\n[Service]\nType=exec\nUser=1000\n",
    "ProtectSystem=full\nProtectKernelModules=yes\nProtectKernelLogs=yes\nProtectHostname=yes\nRestrictRealtime=yes\n\n",
    "[Install]\nWantedBy=multi-user.target\n",
    "Description=Handfast schedule of token 100%%\nWants=",
];

#[test]
fn the_unit_of_a_user_is_this_one() {
    assert_eq!(service(Owner::User).unit().unwrap(), USER);
}

#[test]
fn the_unit_of_the_machine_has_more_in_it() {
    let unit = service(Owner::Machine { user: "1000".to_owned() }).unit().unwrap();
    for part in MACHINE {
        assert!(unit.contains(part), "{part}\n--- in\n{unit}");
    }
    let without = MACHINE.iter().fold(unit, |unit, part| unit.replacen(part, "", 1));
    assert!(without.lines().count() < USER.lines().count(), "{without}");
}

#[test]
fn a_path_that_no_unit_can_hold_is_refused() {
    let mut service = service(Owner::User);
    service.folder = "/home/a\nExecStart=/bin/evil".to_owned();
    assert_eq!(service.unit().unwrap_err().what, "folder");
}
