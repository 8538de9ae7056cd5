use super::*;

fn prepared(text: &str) -> String {
    String::from_utf8(Passphrase::new(text.as_bytes()).unwrap().prepared().to_vec()).unwrap()
}

#[test]
fn one_passphrase_has_one_form_whichever_way_it_was_typed() {
    assert_eq!(prepared("か\u{3099}き"), prepared("がき"));
    assert_eq!(prepared("cafe\u{301}"), "caf\u{e9}");
    assert_eq!(prepared("パスワード\u{3000}🔑"), "パスワード 🔑");
    assert_eq!(prepared("\u{a0}\u{2003}x"), "  x");
}

#[test]
fn different_passphrases_stay_different() {
    // Compatibility forms would fold each of these pairs.
    for (first, second) in
        [("ﾊﾟｽﾜｰﾄﾞ", "パスワード"), ("ｐａｓｓ", "pass"), ("ﬁne", "fine"), ("x²", "x2")]
    {
        assert_ne!(prepared(first), prepared(second));
    }
    assert_ne!(prepared("Pass"), prepared("pass"));
    assert_ne!(prepared("pass "), prepared("pass"));
}

#[test]
fn older_formats_get_the_bytes_as_they_came() {
    let typed = "か\u{3099}\u{3000}";
    assert_eq!(Passphrase::new(typed.as_bytes()).unwrap().raw(), typed.as_bytes());
}

#[test]
fn what_is_no_passphrase_is_refused() {
    let new = |bytes: &[u8]| Passphrase::new(bytes).map(|_| ());
    assert_eq!(new(b""), Err(InvalidPassphrase::Empty));
    assert_eq!(new(&[b'a'; 1025]), Err(InvalidPassphrase::TooLong));
    assert_eq!(new(&[b'a'; 1024]), Ok(()));
    assert_eq!(new(b"\xff\xfe"), Err(InvalidPassphrase::NotText));
}

#[test]
fn a_new_passphrase_has_to_be_long_enough_and_typeable_again() {
    let check = |text: &str| Passphrase::new(text.as_bytes()).unwrap().check_new();
    assert_eq!(check("seven77"), Err(InvalidPassphrase::TooShort));
    assert_eq!(check("eight888"), Ok(()));
    assert_eq!(check("日本語日本語日本"), Ok(()));
    assert_eq!(check("か\u{3099}か\u{3099}か\u{3099}か\u{3099}"), Err(InvalidPassphrase::TooShort));
    assert_eq!(check("tab\tulator"), Err(InvalidPassphrase::Control));
    assert_eq!(check("unassigned \u{378}"), Err(InvalidPassphrase::Unassigned));
}

#[test]
fn a_passphrase_prints_nothing_of_itself() {
    let passphrase = Passphrase::new(b"correct horse").unwrap();
    assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
}
