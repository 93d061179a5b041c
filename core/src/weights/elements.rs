//! Bytes of a file to the elements of a tensor, and back.

use burn::tensor::{BoolStore, DType, TensorData, bf16, f16};

/// The order of the bytes within one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

/// Bytes as a tensor of `dtype` and `shape`; `None` if their number does not fit.
pub(crate) fn decode(
    bytes: &[u8],
    dtype: DType,
    shape: &[usize],
    order: ByteOrder,
) -> Option<TensorData> {
    if bytes.len() != element_count(shape)?.checked_mul(dtype.size())? {
        return None;
    }
    // Typed vectors and not raw bytes: their memory is aligned for the element.
    macro_rules! elements {
        ($element:ty) => {{
            let elements = bytes.chunks_exact(size_of::<$element>()).map(|chunk| {
                let mut one = [0; size_of::<$element>()];
                one.copy_from_slice(chunk);
                match order {
                    ByteOrder::Little => <$element>::from_le_bytes(one),
                    ByteOrder::Big => <$element>::from_be_bytes(one),
                }
            });
            TensorData::new(elements.collect::<Vec<$element>>(), shape.to_vec())
        }};
    }
    Some(match dtype {
        DType::F64 => elements!(f64),
        DType::F32 => elements!(f32),
        DType::F16 => elements!(f16),
        DType::BF16 => elements!(bf16),
        DType::I64 => elements!(i64),
        DType::I32 => elements!(i32),
        DType::I16 => elements!(i16),
        DType::I8 => elements!(i8),
        DType::U64 => elements!(u64),
        DType::U32 => elements!(u32),
        DType::U16 => elements!(u16),
        DType::U8 => elements!(u8),
        DType::Bool(BoolStore::Native) => {
            let elements: Vec<bool> = bytes.iter().map(|byte| *byte != 0).collect();
            TensorData::new(elements, shape.to_vec())
        }
        _ => return None,
    })
}

/// The elements as little-endian bytes in `dtype`; `None` if the pair of types is not written.
pub(super) fn encode(data: &TensorData, dtype: DType) -> Option<Vec<u8>> {
    macro_rules! bytes {
        ($element:ty) => {
            data.iter::<$element>()
                .flat_map(|element| element.to_le_bytes())
                .collect()
        };
    }
    if matches!(data.dtype(), DType::QFloat(_)) {
        return None;
    }
    Some(match dtype {
        DType::F64 => bytes!(f64),
        DType::F32 => bytes!(f32),
        DType::F16 => bytes!(f16),
        DType::BF16 => bytes!(bf16),
        DType::I64 => bytes!(i64),
        DType::I32 => bytes!(i32),
        DType::I16 => bytes!(i16),
        DType::I8 => bytes!(i8),
        DType::U64 => bytes!(u64),
        DType::U32 => bytes!(u32),
        DType::U16 => bytes!(u16),
        DType::U8 => bytes!(u8),
        DType::Bool(_) => data.iter::<bool>().map(u8::from).collect(),
        _ => return None,
    })
}

/// Whether the elements are floats.
pub(super) fn is_float(dtype: DType) -> bool {
    matches!(
        dtype,
        DType::F64 | DType::F32 | DType::Flex32 | DType::F16 | DType::BF16
    )
}

/// The number of elements of a shape, unless it exceeds the address space.
pub(super) fn element_count(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |all, size| all.checked_mul(*size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders_and_odd_addresses_give_the_same_elements() {
        let little = [0u8, 0x01, 0x02, 0x03, 0x04];
        let big = [0u8, 0x02, 0x01, 0x04, 0x03];
        for (bytes, order) in [
            (&little[1..], ByteOrder::Little),
            (&big[1..], ByteOrder::Big),
        ] {
            let data = decode(bytes, DType::I16, &[2], order).unwrap();
            assert_eq!(data.iter::<i16>().collect::<Vec<_>>(), [0x0201, 0x0403]);
        }
    }

    #[test]
    fn a_wrong_number_of_bytes_and_an_endless_shape_are_refused() {
        let order = ByteOrder::Little;
        assert!(decode(&[0; 7], DType::F32, &[2], order).is_none());
        assert!(decode(&[], DType::F32, &[usize::MAX, 2], order).is_none());
        assert!(decode(&[], DType::F32, &[0, 3], order).is_some());
    }

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let data = TensorData::new(vec![1.5f32, -2.0, 65504.0], [3]);
        let half = encode(&data, DType::F16).unwrap();
        let back = decode(&half, DType::F16, &[3], ByteOrder::Little).unwrap();
        assert_eq!(back.iter::<f32>().collect::<Vec<_>>(), [1.5, -2.0, 65504.0]);
        let flags = TensorData::new(vec![true, false], [2]);
        let bytes = encode(&flags, DType::Bool(BoolStore::Native)).unwrap();
        assert_eq!(bytes, [1, 0]);
    }
}
