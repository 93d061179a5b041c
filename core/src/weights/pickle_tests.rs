use super::*;

fn ok(bytes: &[u8]) -> Pickle {
    read(bytes, "test.pkl").unwrap()
}

fn error(bytes: &[u8]) -> String {
    read(bytes, "test.pkl").unwrap_err().to_string()
}

#[test]
fn plain_values_of_every_protocol_are_read() {
    // {'a': [1, 2.5, None, True], 'b': (-3, 'é')} in protocol 0 and protocol 4.
    let old = b"(dVa\n(lI1\naF2.5\naNaI01\nasVb\n(I-3\nV\\xe9\nts.";
    let new = b"\x80\x04}(\x8c\x01a](K\x01G\x40\x04\0\0\0\0\0\0N\x88e\x8c\x01bJ\xfd\xff\xff\xff\x8c\x02\xc3\xa9\x86u.";
    for bytes in [&old[..], &new[..]] {
        let pickle = ok(bytes);
        assert_eq!(
            pickle.to_json(pickle.root()).unwrap(),
            serde_json::json!({"a": [1, 2.5, null, true], "b": [-3, "é"]})
        );
    }
}

#[test]
fn integers_of_any_length_are_read() {
    assert_eq!(ok(b"\x8a\x00.").integer(Ref(0)), Some(0));
    assert_eq!(ok(b"\x8a\x01\xff.").integer(Ref(0)), Some(-1));
    assert_eq!(ok(b"\x8a\x02\xff\x00.").integer(Ref(0)), Some(255));
    let magic = ok(b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.");
    assert!(matches!(magic.get(magic.root()), Value::LongInt(bytes) if bytes.len() == 10));
}

#[test]
fn calls_are_recorded_and_never_made() {
    let pickle = ok(b"cos\nsystem\n(Vrm -rf /\ntR.");
    assert_eq!(
        pickle.describe(pickle.root()),
        "an object of os.system",
        "the call stays a name"
    );
    let (name, args) = pickle.call(pickle.root()).unwrap();
    assert_eq!((name, pickle.text(args[0])), ("system", Some("rm -rf /")));
}

#[test]
fn ordered_dictionaries_sets_and_encoded_bytes_become_plain_values() {
    let pickle = ok(b"ccollections\nOrderedDict\n)RVk\nI1\ns.");
    assert_eq!(pickle.pairs(pickle.root()).unwrap().len(), 1);
    let pickle = ok(b"ccollections\nOrderedDict\n((lVk\nI1\n\x86atR.");
    let value = pickle.field(pickle.root(), "k").unwrap();
    assert_eq!(pickle.integer(value), Some(1));
    let pickle = ok(b"c__builtin__\nset\n((lI1\naI2\natR.");
    assert!(matches!(pickle.get(pickle.root()), Value::Set(items) if items.len() == 2));
    let pickle = ok(b"c_codecs\nencode\n(V\\xff\\x00\nVlatin1\ntR.");
    assert_eq!(pickle.get(pickle.root()), &Value::Bytes(vec![255, 0]));
}

#[test]
fn a_list_that_holds_itself_is_read_without_recursion() {
    let pickle = ok(b"]q\x00h\x00a.");
    assert_eq!(pickle.sequence(pickle.root()), Some(&[pickle.root()][..]));
    assert!(pickle.to_json(pickle.root()).unwrap_err().contains("deep"));
}

#[test]
fn names_come_from_lists_and_from_numbered_dictionaries_in_any_order() {
    let names = |bytes: &[u8]| {
        let pickle = ok(bytes);
        pickle.names(pickle.root())
    };
    let two = Some(vec!["cat".to_owned(), "dog".to_owned()]);
    assert_eq!(names(b"(lVcat\naVdog\na."), two);
    assert_eq!(names(b"(dI1\nVdog\nsI0\nVcat\ns."), two);
    assert_eq!(names(b"(dI1\nVdog\ns."), None, "0 is missing");
}

#[test]
fn every_truncation_says_where_the_pickle_ends() {
    let whole = b"\x80\x02}q\x00(X\x01\x00\x00\x00aq\x01ctorch\nFloatStorage\nq\x02X\x01\x00\x00\x00b]q\x03(K\x01K\x02eu.";
    ok(whole);
    for length in 0..whole.len() {
        let message = error(&whole[..length]);
        assert!(message.contains("test.pkl, byte "), "{message}");
        assert!(message.contains("end of the pickle"), "{message}");
    }
}

#[test]
fn containers_without_beginning_and_empty_stacks_are_errors() {
    for bytes in [
        &b"t."[..],
        b".",
        b"(.",
        b"K\x01(.",
        b"0",
        b"a",
        b"]a.",
        b"}K\x01s.",
        b"h\x07.",
        b"NNb.",
        b"NNR.",
        b"N)R.",
        b"(o.",
        b"(K\x01d.",
        b"\x80\x06.",
        b"\xff.",
        b"X\x01\0\0\0\xff.",
        b"Snone\n.",
    ] {
        error(bytes);
    }
}

#[test]
fn a_declared_length_beyond_the_end_allocates_nothing() {
    for bytes in [
        &b"X\xff\xff\xff\xffabc"[..],
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7fabc",
        b"\x8b\xff\xff\xff\xffabc",
    ] {
        assert!(error(bytes).contains("more bytes"));
    }
}

#[test]
fn bombs_end_in_a_clear_error() {
    let nested = [vec![b'('; MAX_DEPTH + 1], b".".to_vec()].concat();
    assert!(error(&nested).contains("nested deeper"));

    let endless = [b"N".as_slice(), &vec![b'2'; MAX_OPCODES + 10]].concat();
    assert!(error(&endless).contains("opcodes"));

    // A dictionary copied from itself doubles nothing, but a long list copied often would.
    let mut copies = b"(l".to_vec();
    copies.extend((0..10_000).flat_map(|_| *b"Na"));
    copies.extend(b"\x94");
    copies.extend((0..10_000).flat_map(|_| *b"c__builtin__\nset\nh\x00\x85R0"));
    assert!(error(&copies).contains("copy each other"));

    let mut memo = b"N".to_vec();
    for key in 0..=MAX_MEMO as u32 {
        memo.push(b'r');
        memo.extend(key.to_le_bytes());
    }
    assert!(error(&memo).contains("remembered"));
}

#[test]
fn a_deep_tower_of_tuples_is_read_and_dropped_without_recursion() {
    let tower = [b"N".as_slice(), &vec![0x85; 500_000], b"."].concat();
    let pickle = ok(&tower);
    assert!(pickle.to_json(pickle.root()).is_err());
}

proptest::proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = read(&bytes, "random");
    }

    #[test]
    fn random_opcodes_never_panic(
        picks in proptest::collection::vec(0usize..40, 0..200),
    ) {
        let opcodes: &[&[u8]] = &[
            b"N", b"K\x01", b"(", b"]", b"}", b")", b"l", b"t", b"d", b"a", b"e", b"s", b"u",
            b"0", b"1", b"2", b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"R", b"\x81", b"b", b"Q",
            b"\x85", b"\x86", b"\x87", b"\x8f", b"\x90", b"\x91", b"\x94", b"o", b"\x92", b"\x93",
            b"\x8c\x01a", b"ccollections\nOrderedDict\n", b"c__builtin__\nset\n",
            b"c_codecs\nencode\n", b"G\0\0\0\0\0\0\0\0", b"im\nn\n",
        ];
        let mut bytes: Vec<u8> = picks.iter().flat_map(|pick| opcodes[*pick]).copied().collect();
        bytes.push(b'.');
        if let Ok(pickle) = read(&bytes, "random") {
            let _ = pickle.to_json(pickle.root());
            let _ = pickle.describe(pickle.root());
            let _ = pickle.number(pickle.root());
            let _ = pickle.names(pickle.root());
        }
    }
}
