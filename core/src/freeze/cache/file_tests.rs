use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const ROOM: u64 = 1 << 20;

fn entry(index: usize) -> Vec<u8> {
    (0..100 + index).map(|i| (i * 7 + index) as u8).collect()
}

/// A folder with a file of entries 0, 1 and 2, closed.
fn filled() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = FileStore::open(folder.path(), KEY, ROOM).unwrap();
    for index in [2, 0, 1] {
        store.put(index, entry(index));
        assert_eq!(store.get(index), Some(&entry(index)[..]), "at once");
    }
    assert_eq!(store.message(), None);
    let path = store.path().to_path_buf();
    (folder, path)
}

/// Which of the three entries another run finds.
fn found(folder: &Path) -> Vec<usize> {
    let mut store = FileStore::open(folder, KEY, ROOM).unwrap();
    (0..3)
        .filter(|&index| match store.get(index) {
            None => false,
            Some(bytes) => {
                assert_eq!(bytes, entry(index), "never a wrong one");
                true
            }
        })
        .collect()
}

#[test]
fn another_run_finds_what_was_kept() {
    let (folder, _) = filled();
    assert_eq!(found(folder.path()), [0, 1, 2]);
    assert_eq!(found(folder.path()), [0, 1, 2]);
}

#[test]
fn a_file_that_ends_anywhere_gives_its_whole_entries_and_grows_again() {
    let (folder, path) = filled();
    let whole = fs::read(&path).unwrap();
    let records = [entry(2), entry(0), entry(1)].map(|entry| RECORD_BYTES + entry.len());
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let mut end = OPENING_BYTES;
        let mut expected: Vec<usize> = Vec::new();
        for (index, record) in [2, 0, 1].into_iter().zip(records) {
            end += record;
            if end <= length {
                expected.push(index);
            }
        }
        expected.sort_unstable();
        assert_eq!(found(folder.path()), expected, "{length} bytes");
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let mut store = FileStore::open(folder.path(), KEY, ROOM).unwrap();
    store.put(1, entry(1));
    drop(store);
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn a_damaged_byte_costs_entries_and_never_gives_a_wrong_one() {
    let (folder, path) = filled();
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x10;
        fs::write(&path, damaged).unwrap();
        assert!(found(folder.path()).len() < 3, "byte {place}");
    }
    // A damaged entry is kept anew, and the new one counts.
    let mut damaged = whole.clone();
    damaged[OPENING_BYTES + RECORD_BYTES + 5] ^= 1;
    fs::write(&path, damaged).unwrap();
    let mut store = FileStore::open(folder.path(), KEY, ROOM).unwrap();
    assert!(store.has(2));
    assert_eq!(store.get(2), None);
    assert!(!store.has(2));
    store.put(2, entry(2));
    drop(store);
    assert_eq!(found(folder.path()), [0, 1, 2]);
}

#[test]
fn files_of_another_key_or_program_are_not_believed() {
    let (folder, path) = filled();
    let other = format!("{}{}", &KEY[..32], "f".repeat(32));
    let store = FileStore::open(folder.path(), &other, ROOM).unwrap();
    assert_eq!(store.path(), path, "the names begin alike");
    assert!(store.is_empty());
    drop(store);
    fs::write(
        &path,
        b"something else altogether, and long enough to be taken for a file of features",
    )
    .unwrap();
    assert_eq!(found(folder.path()), [0; 0]);
}

#[test]
fn two_runs_at_a_time_keep_to_files_of_their_own() {
    let (folder, path) = filled();
    let first = FileStore::open(folder.path(), KEY, ROOM).unwrap();
    let mut second = FileStore::open(folder.path(), KEY, ROOM).unwrap();
    assert_eq!(first.len(), 3);
    assert_ne!(second.path(), path);
    assert!(second.is_empty());
    second.put(0, entry(0));
    drop(first);
    assert_eq!(found(folder.path()), [0, 1, 2]);
}

#[test]
fn what_exceeds_the_room_is_not_kept_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let room = (OPENING_BYTES + RECORD_BYTES + entry(0).len()) as u64;
    let mut store = FileStore::open(folder.path(), KEY, room).unwrap();
    store.put(0, entry(0));
    assert_eq!(store.message(), None);
    store.put(1, entry(1));
    assert!(store.message().unwrap().contains("computed each time"));
    assert!(store.has(0) && !store.has(1));
}

#[test]
#[cfg(unix)]
fn a_disk_without_room_is_an_error_with_figures_and_old_files_go_first() {
    let (folder, path) = filled();
    let free = free_disk_bytes(folder.path()).unwrap();
    let held = FileStore::open(folder.path(), KEY, ROOM).unwrap();
    let old = folder.path().join(format!("old.{SUFFIX}"));
    fs::write(&old, b"of another key").unwrap();
    let error = FileStore::open(folder.path(), &"a".repeat(64), free).unwrap_err();
    assert!(error.to_string().contains("MiB free"), "{error}");
    assert!(error.to_string().contains("--views"), "{error}");
    assert!(!old.exists(), "nobody used it");
    assert!(path.exists(), "one that a run holds stays");
    drop(held);
}
