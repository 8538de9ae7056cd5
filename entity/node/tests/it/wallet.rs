//! `entity wallet` as a person or a script uses it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

const PASSPHRASE: &str = "correct horse battery staple";

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entity"));
    command
        .arg("wallet")
        .args(arguments)
        .env("ENTITY_DATA_DIR", data)
        .current_dir(data)
        .stdin(Stdio::null());
    command
}

/// Runs with the passphrase in the environment.
fn wallet(data: &Path, arguments: &[&str]) -> Output {
    command(data, arguments).env("ENTITY_PASSPHRASE", PASSPHRASE).output().unwrap()
}

#[track_caller]
fn check(output: &Output, code: i32, on_error: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    // Messages are wrapped to the width of a terminal.
    let flat: String =
        error.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(flat.contains(on_error), "{error}");
}

#[track_caller]
fn json(output: &Output) -> Value {
    check(output, 0, "");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(output: &Output) -> String {
    check(output, 0, "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn secret_file(path: PathBuf, text: &str) -> PathBuf {
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn home() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn a_key_is_made_once_encrypted_and_its_seed_is_never_printed() {
    let home = home();
    let data = home.path();
    let made = json(&wallet(data, &["create", "entity-a", "--json"]));
    assert_eq!((&made["name"], &made["protection"]), (&"entity-a".into(), &"passphrase".into()));
    assert_eq!(made["default"], true);
    let file = data.join("keys/entity-a.key");
    assert_eq!(made["key_file"], file.to_str().unwrap());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let kept = fs::read(&file).unwrap();
    let key = data.join("seed.hex");
    let out = key.to_str().unwrap();
    check(&wallet(data, &["export", "--format", "seed-hex", "--output", out]), 0, "");
    let seed = fs::read_to_string(&key).unwrap();
    assert!(!String::from_utf8_lossy(&kept).contains(seed.trim()));
    for arguments in [&["show"][..], &["show", "--verify"], &["list"], &["list", "--json"]] {
        let shown = text(&wallet(data, arguments));
        assert!(
            shown.contains(made["public_key"].as_str().unwrap()) && !shown.contains(seed.trim())
        );
    }
    check(&wallet(data, &["create", "entity-a"]), 2, "a key is never overwritten");
    assert_eq!(fs::read(&file).unwrap(), kept);
}

#[test]
fn nothing_is_kept_in_the_clear_unless_told_by_name() {
    let home = home();
    let data = home.path();
    let no_passphrase = command(data, &["create", "a"]).output().unwrap();
    check(
        &no_passphrase,
        2,
        "give it with --passphrase-file, --passphrase-fd or ENTITY_PASSPHRASE",
    );
    let empty = command(data, &["create", "a"]).env("ENTITY_PASSPHRASE", "").output().unwrap();
    check(&empty, 2, "say so with --unprotected");
    let short = command(data, &["create", "a"]).env("ENTITY_PASSPHRASE", "short").output().unwrap();
    check(&short, 2, "fewer than 8 characters");
    assert!(!data.join("keys/a.key").exists());
    let told = text(&command(data, &["create", "a", "--unprotected"]).output().unwrap());
    assert!(told.contains("NONE: whoever reads the file has the key"), "{told}");
    assert!(
        fs::read_to_string(data.join("keys/a.key")).unwrap().contains("\"protection\": \"none\"")
    );
    let argument = wallet(data, &["create", "b", "--passphrase", PASSPHRASE]);
    check(&argument, 2, "unexpected argument");
}

#[test]
fn a_passphrase_comes_from_a_file_or_a_descriptor() {
    let home = home();
    let data = home.path();
    let pass = secret_file(data.join("pass"), &format!("{PASSPHRASE}\n"));
    let of_file = ["--passphrase-file", "pass"];
    let made = command(data, &[&["create", "a"][..], &of_file].concat()).output().unwrap();
    check(&made, 0, "");
    check(&wallet(data, &["show", "--verify"]), 0, "");
    let mut piped = command(data, &["show", "--verify", "--passphrase-fd", "0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    piped.stdin.take().unwrap().write_all(PASSPHRASE.as_bytes()).unwrap();
    assert!(piped.wait().unwrap().success());
    fs::set_permissions(&pass, fs::Permissions::from_mode(0o644)).unwrap();
    let open = command(data, &[&["show", "--verify"][..], &of_file].concat()).output().unwrap();
    check(&open, 2, "chmod go-rwx pass");
    let wrong = command(data, &["show", "--verify"]).env("ENTITY_PASSPHRASE", "wrong one").output();
    check(&wrong.unwrap(), 1, "the passphrase is wrong, or the file was changed");
}

/// Types answers to what the program asks at a terminal of its own, and returns what that showed.
fn at_a_terminal(mut command: Command, answers: &[(&str, &str)]) -> (bool, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let slave = File::from(openat(CWD, &name, flags, Mode::empty()).unwrap());
    let (stdout, stderr) = (slave.try_clone().unwrap(), slave.try_clone().unwrap());
    let mut child = command.stdin(slave).stderr(stderr).stdout(stdout).spawn().unwrap();
    // The command holds the program's side of the terminal, which would never end.
    drop(command);
    let mut master = File::from(master);
    let mut shown = String::new();
    for (question, answer) in answers {
        let from = shown.len();
        while !shown[from..].contains(question) {
            let mut bytes = [0; 1024];
            let len = master.read(&mut bytes).unwrap();
            shown.push_str(&String::from_utf8_lossy(&bytes[..len]));
        }
        master.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }
    // It ends with an error when the other side is closed.
    let mut rest = Vec::new();
    drop(master.read_to_end(&mut rest));
    shown.push_str(&String::from_utf8_lossy(&rest));
    (child.wait().unwrap().success(), shown)
}

#[test]
fn a_person_is_asked_twice_and_sees_nothing_of_what_they_type() {
    let home = home();
    let data = home.path();
    let create = || command(data, &["create", "a"]);
    let answers =
        [("New passphrase for the key a: ", PASSPHRASE), ("Once more: ", "something else")];
    let (made, shown) = at_a_terminal(create(), &answers);
    assert!(!made && shown.contains("the same passphrase twice"), "{shown}");
    let answers = [("New passphrase for the key a: ", PASSPHRASE), ("Once more: ", PASSPHRASE)];
    let (made, shown) = at_a_terminal(create(), &answers);
    assert!(made && !shown.contains("horse"), "{shown}");
    assert!(shown.contains("protecting ..."), "a person is told why it takes so long: {shown}");
    check(&wallet(data, &["show", "--verify"]), 0, "");
    let remove = || command(data, &["remove", "a"]);
    let (removed, _) = at_a_terminal(remove(), &[("Type its name: ", "yes")]);
    assert!(!removed);
    let (removed, _) = at_a_terminal(remove(), &[("Type its name: ", "a")]);
    assert!(removed);
    check(&wallet(data, &["remove", "a", "--yes"]), 2, "find the key a");
}

#[test]
fn a_changed_passphrase_opens_and_the_old_one_does_not() {
    let home = home();
    let data = home.path();
    check(&wallet(data, &["create", "a"]), 0, "");
    let change = |old: &str, new: &str| {
        let mut command = command(data, &["passphrase"]);
        command.env("ENTITY_PASSPHRASE", old).env("ENTITY_NEW_PASSPHRASE", new).output().unwrap()
    };
    check(&change("not the one", "another passphrase"), 1, "the passphrase is wrong");
    check(&change(PASSPHRASE, "another passphrase"), 0, "");
    check(&wallet(data, &["show", "--verify"]), 1, "the passphrase is wrong");
    check(&change("another passphrase", PASSPHRASE), 0, "");
    check(&wallet(data, &["show", "--verify"]), 0, "");
    let plain = json(&wallet(data, &["passphrase", "--unprotected", "--json"]));
    assert_eq!(plain["protection"], "none");
}

#[test]
fn a_changed_key_file_is_refused_by_name_with_what_to_do() {
    let home = home();
    let data = home.path();
    check(&wallet(data, &["create", "a"]), 0, "");
    let file = data.join("keys/a.key");
    let kept = fs::read_to_string(&file).unwrap();
    secret_file(file.clone(), &kept.replace("\"kdf_passes\": 3", "\"kdf_passes\": 2"));
    check(
        &wallet(data, &["show", "--verify"]),
        1,
        "keys/a.key: open a key file: the passphrase is wrong, or the file was changed",
    );
    secret_file(file.clone(), &kept.replace("\": ", "\":"));
    check(&wallet(data, &["show"]), 3, "restore the file from a copy");
    assert!(text(&wallet(data, &["list"])).contains("! a.key"));
    secret_file(file.clone(), &kept);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    check(&wallet(data, &["show"]), 3, "chmod go-rwx");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(&file, data.join("keys/b.key")).unwrap();
    check(&wallet(data, &["show", "b"]), 3, "it is the file of the key a");
}

#[test]
fn a_rotated_key_is_handed_over_and_others_can_check_it() {
    let home = home();
    let data = home.path();
    let old = json(&wallet(data, &["create", "a", "--json"]))["public_key"].clone();
    let new = json(&wallet(data, &["rotate", "--json"]));
    assert_eq!(new["handover"]["old_key"], old);
    assert_ne!(new["public_key"], old);
    let handover = text(&wallet(data, &["show", "--handover"]));
    fs::write(data.join("handover.json"), &handover).unwrap();
    let verify = |arguments: &[&str]| {
        wallet(data, &[&["verify-handover", "handover.json", "--json"], arguments].concat())
    };
    let verified = json(&verify(&["--old-key", old.as_str().unwrap(), "--id", "a"]));
    assert_eq!((&verified["valid"], &verified["new_key"]), (&true.into(), &new["public_key"]));
    check(
        &verify(&["--old-key", new["public_key"].as_str().unwrap()]),
        1,
        "it is not the trusted key",
    );
    check(&verify(&["--id", "b"]), 1, "it is for a");
    fs::write(data.join("handover.json"), handover.replace("\"id\":\"a\"", "\"id\":\"b\""))
        .unwrap();
    check(&verify(&[]), 1, "a signature does not hold");
    let listed = json(&wallet(data, &["list", "--json"]));
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    check(&wallet(data, &["default", listed["keys"][0]["name"].as_str().unwrap()]), 2, "successor");
}

#[test]
fn keys_come_and_go_as_pem_and_hex_but_never_to_a_terminal_unasked() {
    let home = home();
    let data = home.path();
    let made = json(&wallet(data, &["create", "a", "--json"]));
    let export = |format, file| wallet(data, &["export", "--format", format, "--output", file]);
    for (format, file) in [("pkcs8", "a.pem"), ("pkcs8-v2", "a2.pem"), ("seed-hex", "a.hex")] {
        check(&export(format, file), 0, "");
        assert_eq!(fs::metadata(data.join(file)).unwrap().permissions().mode() & 0o777, 0o600);
        check(&export(format, file), 3, "give a file that does not exist yet");
        let name = format!("from-{format}");
        let taken = json(&wallet(data, &["import", file, "--name", &name, "--json"]));
        assert_eq!(taken["public_key"], made["public_key"]);
        assert_eq!(taken["protection"], "passphrase");
    }
    let expected = ["import", "a.pem", "--name", "x", "--expect", &"ab".repeat(32)];
    check(&wallet(data, &expected), 2, "--expect");
    let piped = wallet(data, &["export", "--stdout"]);
    assert_eq!(piped.stdout, fs::read(data.join("a.pem")).unwrap());
    let at_terminal = |arguments: &[&str]| {
        let mut export = command(data, &[&["export", "--stdout"][..], arguments].concat());
        export.env("ENTITY_PASSPHRASE", PASSPHRASE);
        at_a_terminal(export, &[])
    };
    let (shown, text) = at_terminal(&[]);
    assert!(!shown && text.contains("standard output is a terminal"), "{text}");
    assert!(!text.contains("PRIVATE KEY"), "{text}");
    let (shown, text) = at_terminal(&["--show-secret"]);
    assert!(shown && text.contains("PRIVATE KEY"), "{text}");
}

#[test]
fn key_files_of_an_earlier_peer_are_converted_with_a_warning_about_the_id() {
    let home = home();
    let data = home.path();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wallet/tests/data/keystores");
    let sample = |file: &str| samples.join(file).to_str().unwrap().to_owned();
    let converted = wallet(data, &["convert", &sample("quirk_entity_id_not_bound.key"), "--json"]);
    check(&converted, 0, "the id in the file is not authenticated");
    assert_eq!(json(&converted)["name"], "someone_else");
    check(&wallet(data, &["show", "someone_else", "--verify"]), 0, "");
    check(
        &wallet(data, &["convert", &sample("neg_tampered.key")]),
        1,
        "the passphrase is wrong, or the file is damaged",
    );
    check(
        &wallet(data, &["convert", &sample("neg_version2.key")]),
        2,
        "version 2 is not supported",
    );
    check(
        &wallet(data, &["convert", &sample("neg_pubkey_mismatch.key")]),
        2,
        "the public key in the file is not that of its seed",
    );
    let own = secret_file(
        data.join("identity.seed"),
        &format!(
            "# Identity of an entity, format 1: 32-byte Ed25519 seed as hex.\n{}\n",
            "07".repeat(32)
        ),
    );
    let empty = data.join("old");
    fs::create_dir(&empty).unwrap();
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o700)).unwrap();
    fs::rename(&own, empty.join("identity.seed")).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_entity"))
        .arg("run")
        .env("ENTITY_DATA_DIR", &empty)
        .current_dir(&empty)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    check(&run, 3, "protect it with `entity wallet convert");
    let converted = wallet(&empty, &["convert", "identity.seed"]);
    check(&converted, 0, "the file was not encrypted");
}

/// Runs in a shell that first does what `before` says, with all its output piped.
fn in_shell(data: &Path, before: &str, arguments: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", &format!("{before}; exec \"$0\" wallet \"$@\""), env!("CARGO_BIN_EXE_entity")])
        .args(arguments)
        .env("ENTITY_DATA_DIR", data)
        .env("ENTITY_PASSPHRASE", PASSPHRASE)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn rights(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_owner_and_nobody_else_has_all_rights_whatever_the_umask() {
    for umask in ["0000", "0277", "0777"] {
        let home = home();
        let data = home.path().join("further/data");
        check(&in_shell(&data, &format!("umask {umask}"), &["create", "a"]), 0, "");
        let out = data.join("a.pem");
        let export = ["export", "--output", out.to_str().unwrap()];
        check(&in_shell(&data, &format!("umask {umask}"), &export), 0, "");
        for directory in [data.parent().unwrap(), &data, &data.join("keys")] {
            assert_eq!(rights(directory), 0o700, "{umask} {}", directory.display());
        }
        for file in
            [&out, &data.join("keys/a.key"), &data.join("keys/default"), &data.join("keys/.lock")]
        {
            assert_eq!(rights(file), 0o600, "{umask} {}", file.display());
        }
    }
}

/// As on a full disk: not one byte can be written into a file.
const FULL: &str = "trap '' XFSZ; ulimit -f 0";

#[test]
fn a_full_disk_changes_nothing_and_leaves_no_part_of_a_key() {
    let home = home();
    let data = home.path();
    let names = || {
        let entries = fs::read_dir(data.join("keys")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    check(&in_shell(data, FULL, &["create", "a"]), 3, "write");
    assert_eq!(names(), [".lock"]);
    check(&wallet(data, &["create", "a"]), 0, "");
    let (kept, before) = (fs::read(data.join("keys/a.key")).unwrap(), names());
    for arguments in [&["passphrase", "--unprotected"][..], &["rotate"], &["create", "b"]] {
        check(&in_shell(data, FULL, arguments), 3, "write");
        assert_eq!(names(), before, "{arguments:?}");
        assert_eq!(fs::read(data.join("keys/a.key")).unwrap(), kept);
    }
    let out = data.join("a.pem");
    let export = ["export", "--output", out.to_str().unwrap()];
    check(&in_shell(data, FULL, &export), 3, "write");
    assert!(!out.exists(), "no part of a key is left, and the name is free");
    check(&wallet(data, &export), 0, "");
}

#[test]
fn a_running_peer_has_no_passphrase_in_its_environment() {
    let home = home();
    let data = home.path();
    check(&wallet(data, &["create", "a"]), 0, "");
    let mut run = Command::new(env!("CARGO_BIN_EXE_entity"))
        .args(["run", "--log-format", "json", "--listen", "127.0.0.1:0"])
        .env("ENTITY_DATA_DIR", data)
        .env("ENTITY_PASSPHRASE", PASSPHRASE)
        .current_dir(data)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = BufReader::new(run.stderr.take().unwrap());
    let ready = log.lines().any(|line| line.unwrap().contains("\"ready\""));
    let environment = fs::read(format!("/proc/{}/environ", run.id())).unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    let environment = String::from_utf8_lossy(&environment);
    assert!(ready && environment.contains("ENTITY_DATA_DIR"));
    assert!(!environment.contains("horse"), "{environment}");
}
