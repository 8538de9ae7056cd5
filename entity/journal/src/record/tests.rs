use super::*;

#[test]
fn a_batch_knows_what_it_is_about_and_how_large_it_is() {
    let (state, archive) = (Space::state("s"), Space::archive("archive"));
    assert_eq!((state.retention(), archive.retention()), (Retention::State, Retention::Archive));
    let put = Write::put(state, "key", "value");
    assert_eq!((put.place(), put.len_bytes()), ((state, b"key".as_slice()), 1 + 3 + 5));
    let delete = Write::delete(archive, "key");
    assert_eq!((delete.place(), delete.len_bytes()), ((archive, b"key".as_slice()), 7 + 3));
    let mut batch = Batch::default();
    assert!(batch.is_empty());
    batch.push(put.clone());
    batch.extend([delete.clone()]);
    assert_eq!((batch.len_bytes(), batch.writes()), (19, [put, delete].as_slice()));
}

#[test]
fn what_is_kept_is_not_printed() {
    let space = Space::state("session");
    let write = Write::put(space, "id", "a secret");
    assert_eq!(format!("{write:?}"), "Put(session/id: 8 bytes)");
    assert_eq!(format!("{:?}", Write::delete(space, "id")), "Delete(session/id)");
    let record = Record { key: b"id".to_vec(), value: b"a secret".to_vec() };
    assert_eq!(format!("{record:?}"), "Record(id: 8 bytes)");
}
