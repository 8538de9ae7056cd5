use crate::Project;
use crate::notify::{
    CHANNELS_MAX, ChannelService, Day, HeaderFrom, IncidentClass, NotifySettings, QuietThen,
    SecretFrom,
};

const HEAD: &str = "[project]\nname = \"x\"\n";
const CHANNEL: &str = "[[notify.channels]]\nname = \"team\"\nkind = \"slack-bot\"\nchannel = \"C1\"\nsecret = { env = \"T\" }\n";

fn read(text: &str) -> NotifySettings {
    let project = Project::parse("handfast.toml", &format!("{HEAD}{text}"));
    let project = project.unwrap_or_else(|problems| panic!("{}", problems.to_plain_text()));
    project.notify.unwrap()
}

/// The file is refused, and what is said has this part.
#[track_caller]
fn refused(text: &str, part: &str) {
    let problems = Project::parse("handfast.toml", &format!("{HEAD}{text}")).unwrap_err();
    let said = problems.to_plain_text();
    assert!(said.contains(part), "{part:?} is missing in {said}");
}

#[test]
fn a_project_without_the_table_tells_nobody() {
    assert!(Project::parse("handfast.toml", HEAD).unwrap().notify.is_none());
}

#[test]
fn the_smallest_table_has_the_defaults() {
    let settings = read(CHANNEL);
    assert_eq!(settings.deadline, NotifySettings::DEADLINE);
    assert!(settings.owners.is_empty() && settings.quiet.is_none());
    let channel = &settings.channels[0];
    assert_eq!(channel.name, "team");
    assert_eq!(channel.service, ChannelService::SlackBot { channel: "C1".to_owned(), api: None });
    assert_eq!(channel.secret, SecretFrom::Environment("T".to_owned()));
    assert_eq!(channel.classes.len(), 2);
}

#[test]
fn everything_is_read() {
    let settings = read(
        "[notify]\ndeadline = \"1min\"\nowners = [{ match = \"token/*\", slack = \"@S1\", who = \"payments\" }, { match = \"*\", who = \"all\" }]\n\
         quiet = { from = \"22:00\", to = \"07:30\", zone = \"Europe/Berlin\", days = [\"sat\", \"sun\"], then = \"no-mention\" }\n\
         [[notify.channels]]\nname = \"w\"\nkind = \"webhook\"\nsecret = { file = \"/run/s\" }\nmethod = \"PUT\"\ntemplate = \"teams\"\nclasses = \"infra\"\n\
         headers = { A = \"b\", C = { env = \"D\" } }\n",
    );
    let quiet = settings.quiet.as_ref().unwrap();
    assert_eq!((quiet.from, quiet.to, quiet.zone.as_str()), (1320, 450, "Europe/Berlin"));
    assert!(quiet.days.contains(&Day::Saturday) && quiet.days.len() == 2);
    assert_eq!(quiet.then, QuietThen::NoMention);
    assert_eq!(settings.owner("token/pay").unwrap().who.as_deref(), Some("payments"));
    assert_eq!(settings.owner("meeting/x").unwrap().who.as_deref(), Some("all"));
    let channel = &settings.channels[0];
    let ChannelService::Webhook { template, method, headers } = &channel.service else { panic!() };
    assert_eq!((template.as_str(), method.as_str()), ("teams", "PUT"));
    assert_eq!(headers["A"], HeaderFrom::Plain("b".to_owned()));
    assert_eq!(headers["C"], HeaderFrom::Secret(SecretFrom::Environment("D".to_owned())));
    assert!(channel.classes.contains(&IncidentClass::Infra) && channel.classes.len() == 1);
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_repeated() {
    let text = "[[notify.channels]]\nname = \"x\"\nkind = \"slack-webhook\"\nsecret = \"https://hooks.example/T0/abc\"\n";
    refused(text, "a secret does not stand in the project file");
    let problems = Project::parse("handfast.toml", &format!("{HEAD}{text}")).unwrap_err();
    assert!(!problems.to_plain_text().contains("hooks.example"));
    refused(&CHANNEL.replace("{ env = \"T\" }", "{}"), "a secret comes from one place");
}

#[test]
fn what_is_wrong_is_named_with_the_fix() {
    refused("[notify]\nchannels = []\n", "there are 1 to 16 channels, not 0");
    refused(&CHANNEL.replace("slack-bot", "slack"), "`kind` cannot be \"slack\"");
    refused(&format!("{CHANNEL}template = \"json\"\n"), "`template` means nothing");
    refused(&format!("{CHANNEL}{CHANNEL}"), "two channels have the name team");
    refused(&format!("{CHANNEL}classes = []\n"), "a channel without classes is told nothing");
    for (quiet, part) in [
        ("{ from = \"24:00\", to = \"07:00\" }", "`from` is no time of day"),
        ("{ from = \"22:00\", to = \"7\" }", "`to` is no time of day"),
        (
            "{ from = \"22:00\", to = \"07:00\", zone = \"Europe/Nowhere\" }",
            "there is no time zone",
        ),
        ("{ from = \"22:00\", to = \"07:00\", days = [\"saturday\"] }", "`days` cannot be"),
        ("{ from = \"22:00\", to = \"07:00\", then = \"wait\" }", "`then` cannot be"),
    ] {
        refused(&format!("[notify]\nquiet = {quiet}\n{CHANNEL}"), part);
    }
    refused(
        &format!("[notify]\nowners = [{{ match = \"x\" }}]\n{CHANNEL}"),
        "an owner needs a name",
    );
    refused(
        &format!("[notify]\nowners = [{{ match = \"x\", slack = \"bob\" }}]\n{CHANNEL}"),
        "Slack cannot mention",
    );
}

#[test]
fn channels_have_a_limit() {
    let channels = |count: usize| -> String {
        (0..count).map(|n| CHANNEL.replace("team", &format!("team{n}"))).collect()
    };
    assert_eq!(read(&channels(CHANNELS_MAX)).channels.len(), CHANNELS_MAX);
    refused(&channels(CHANNELS_MAX + 1), "there are 1 to 16 channels, not 17");
}
