//! Room that is used again. Fresh memory costs a page fault every 4 KiB and zeros that nobody reads;
//! a training step asks for the same sizes every time.

use std::sync::{Mutex, PoisonError};

use burn::backend::TensorMetadata;

use super::backend::Flat;

/// Values below which the allocator is as good.
const LEAST: usize = 4 << 10;

/// What waits to be used again, the oldest first.
static WAITING: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// `length` values of any content: whoever takes them overwrites them all.
pub fn take(length: usize) -> Vec<f32> {
    let mut values = found(length).unwrap_or_else(|| vec![0f32; length]);
    values.resize(length, 0.0);
    // In tests, what is not overwritten shows.
    #[cfg(test)]
    values.fill(f32::NAN);
    values
}

/// The smallest room that is large enough and not much too large. When there is none, what waits
/// longest makes way, so that all together never grow beyond what was needed at once.
fn found(length: usize) -> Option<Vec<f32>> {
    if length < LEAST {
        return None;
    }
    let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = length..=length + length / 4;
    let best = (0..waiting.len())
        .rev()
        .filter(|&i| fits.contains(&waiting[i].capacity()))
        .min_by_key(|&i| waiting[i].capacity());
    if let Some(best) = best {
        return Some(waiting.remove(best));
    }
    let mut freed = 0;
    let leave = waiting.iter().take_while(|values| {
        let more = freed < length;
        freed += values.capacity();
        more
    });
    let leave = leave.count();
    waiting.drain(..leave);
    None
}

/// Keeps the values of a tensor for later, if nobody else holds them.
pub fn give(x: Flat) {
    if x.shape().num_elements() < LEAST || !x.is_unique() || !x.is_contiguous() {
        return;
    }
    if let Ok(values) = x.into_data().try_into_vec::<f32>() {
        let mut waiting = WAITING.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push(values);
    }
}

#[cfg(test)]
mod tests {
    use super::super::backend::tensor;
    use super::*;

    /// No other test asks for these lengths.
    const LENGTH: usize = 1_234_567;

    #[test]
    fn what_is_given_back_is_found_again_and_what_is_held_elsewhere_is_not() {
        let values = vec![1f32; LENGTH];
        let place = values.as_ptr();
        let x = tensor(values, [LENGTH]);
        let held = x.clone();
        give(x);
        assert!(found(LENGTH).is_none());
        give(held);
        let again = take(LENGTH - 5);
        assert_eq!((again.as_ptr(), again.len()), (place, LENGTH - 5));
    }
}
