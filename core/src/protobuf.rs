//! The little of protobuf that ONNX and TensorBoard need (<https://protobuf.dev/programming-guides/encoding/>): numbers,
//! bytes, and messages inside each other.

/// A message while it is written.
#[derive(Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// Seven bits a byte, the lowest first; all but the last byte have the eighth set.
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A whole number.
    pub fn int(&mut self, field: u64, value: i64) {
        self.varint(field << 3);
        self.varint(value as u64);
    }

    /// Bytes.
    pub fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    /// A text.
    pub fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    /// A number in double precision.
    pub fn double(&mut self, field: u64, value: f64) {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
    }

    /// A number in single precision.
    pub fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(value.to_le_bytes());
    }

    /// A message inside this one.
    pub fn message(&mut self, field: u64, fill: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        fill(&mut inner);
        self.bytes(field, &inner.0);
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'a> {
    /// A whole number.
    Int(u64),
    /// Bytes, a text or a message.
    Bytes(&'a [u8]),
    /// A number in double precision, as bits.
    Fixed64(u64),
    /// A number in single precision, as bits.
    Fixed32(u32),
}

/// The fields of a message with their numbers; `None`, and then nothing more, where it ends early or is none.
pub fn fields(mut rest: &[u8]) -> impl Iterator<Item = Option<(u64, Field<'_>)>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(&mut rest);
        if field.is_none() {
            rest = &[];
        }
        Some(field)
    })
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Field<'a>)> {
    let tag = varint(rest)?;
    let value = match tag & 7 {
        0 => Field::Int(varint(rest)?),
        1 => Field::Fixed64(u64::from_le_bytes(fixed(rest)?)),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Field::Bytes(rest.split_off(..length)?)
        }
        5 => Field::Fixed32(u32::from_le_bytes(fixed(rest)?)),
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    rest.split_off(..N)?.try_into().ok()
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Numbers one after the other.
pub fn varints(mut bytes: &[u8]) -> Option<Vec<u64>> {
    let mut values = Vec::new();
    while !bytes.is_empty() {
        values.push(varint(&mut bytes)?);
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of protobuf's own guide.
    #[test]
    fn numbers_texts_and_messages_are_written_as_protobuf_says() {
        let mut message = Message::default();
        message.int(1, 150);
        assert_eq!(message.0, [0x08, 0x96, 0x01]);
        let mut message = Message::default();
        message.text(2, "testing");
        assert_eq!(message.0, b"\x12\x07testing");
        let mut message = Message::default();
        message.message(3, |inner| inner.int(1, 150));
        assert_eq!(message.0, [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let mut message = Message::default();
        message.int(20, 0);
        message.int(1, -2);
        let minus_two = [
            0x08, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01,
        ];
        assert_eq!(message.0, [&[0xa0, 0x01, 0x00], &minus_two[..]].concat());
    }

    #[test]
    fn what_was_written_is_read_and_what_ends_early_is_not() {
        let mut message = Message::default();
        message.int(20, 150);
        message.text(2, "testing");
        let fields_of = |bytes| fields(bytes).collect::<Option<Vec<_>>>();
        let expected = vec![(20, Field::Int(150)), (2, Field::Bytes(b"testing"))];
        assert_eq!(fields_of(&message.0), Some(expected));
        // The number takes four bytes.
        for length in [1, 2, 3, 5, 6, message.0.len() - 1] {
            assert_eq!(fields_of(&message.0[..length]), None, "{length}");
        }
        // A length beyond the end, a number without an end, a kind of field that is no more.
        for bad in [
            &[0x12, 0xff, 0x01, 0x00][..],
            &[0x08; 0],
            &[0x80; 12],
            &[0x0b],
        ] {
            assert_eq!(fields_of(bad), (bad.is_empty()).then(Vec::new), "{bad:?}");
        }
        assert_eq!(varints(&[0x96, 0x01, 0x03]), Some(vec![150, 3]));
        assert_eq!(varints(&[0x96]), None);
        let mut fixed = Message::default();
        fixed.double(1, 1.5);
        fixed.float(2, -2.0);
        let expected = vec![
            (1, Field::Fixed64(1.5f64.to_bits())),
            (2, Field::Fixed32((-2.0f32).to_bits())),
        ];
        assert_eq!(fields_of(&fixed.0), Some(expected));
    }
}
