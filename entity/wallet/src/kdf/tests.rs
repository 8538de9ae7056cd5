use entity_crypto::encoding::hex_encode;

use super::*;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text.as_bytes()).unwrap()
}

#[test]
fn derived_keys_have_fixed_bytes() {
    // Computed with `argon2` of the reference implementation (argon2-cffi 25.1, `hash_secret_raw`, type ID).
    let least = KdfParameters::LEAST.derive(&passphrase("password"), &[1; SALT_LEN]);
    assert_eq!(
        hex_encode(least.as_slice()),
        "8e1298379eb2f3639440145f2bcee5e8462d51eff39eee06f383a3c35651d5ea"
    );
    let default = KdfParameters::DEFAULT.derive(&passphrase("パスワード🔑 pass"), &[2; SALT_LEN]);
    assert_eq!(
        hex_encode(default.as_slice()),
        "9b005a26838005375c8e35355f2c57c09fccadd603f452ff99f5a3c3d9a6a5c0"
    );
    let four_lanes = KdfParameters::new(8 * 1024, 2, 4).unwrap();
    assert_eq!(
        hex_encode(four_lanes.derive(&passphrase("password"), &[3; SALT_LEN]).as_slice()),
        "d1e52f5a5d95c88c68963d7336836aab9756ca2176755419fa898339db189f90"
    );
}

#[test]
fn parameters_are_bounded_both_ways() {
    let refused = |memory, passes, lanes| KdfParameters::new(memory, passes, lanes).unwrap_err();
    assert_eq!(refused(8 * 1024 - 1, 1, 1).parameter, "kdf_memory_kib");
    assert_eq!(refused(1024 * 1024 + 1, 1, 1).parameter, "kdf_memory_kib");
    assert_eq!(refused(8 * 1024, 0, 1).parameter, "kdf_passes");
    assert_eq!(refused(8 * 1024, 17, 1).parameter, "kdf_passes");
    assert_eq!(refused(8 * 1024, 1, 0).parameter, "kdf_lanes");
    assert_eq!(refused(8 * 1024, 1, 17).parameter, "kdf_lanes");
    assert!(KdfParameters::new(8 * 1024, 1, 16).is_ok());
    assert!(KdfParameters::new(1024 * 1024, 16, 1).is_ok());
}

#[test]
fn older_keys_are_pbkdf2_with_600000_rounds() {
    // Computed with Python's hashlib.pbkdf2_hmac.
    assert_eq!(
        hex_encode(derive_older(b"password", &[4; 32]).as_slice()),
        "1804223305976a167fd97b8c1f804a31f09c7880e5e9d9e848390478ed1c5a20"
    );
}
