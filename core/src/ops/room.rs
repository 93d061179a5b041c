//! Room that recorded operations use again. Fresh memory costs page faults, and zeros that nobody reads;
//! a training step asks for the same sizes every time and gives them back in its backward pass.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::backend::TensorMetadata;

use super::backend::Flat;

/// Values below which the allocator is as good.
const LEAST: usize = 4 << 10;

/// Rooms of one size.
#[derive(Debug, Default)]
struct Rooms {
    waiting: Vec<Vec<f32>>,
    /// How many were taken and not given back.
    taken: usize,
}

static ROOMS: Mutex<BTreeMap<usize, Rooms>> = Mutex::new(BTreeMap::new());

fn rooms() -> MutexGuard<'static, BTreeMap<usize, Rooms>> {
    ROOMS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `length` values of any content: whoever takes them overwrites them all.
pub fn take(length: usize) -> Vec<f32> {
    if length < LEAST {
        return vec![0f32; length];
    }
    let found = {
        let mut rooms = rooms();
        let rooms = rooms.entry(length).or_default();
        rooms.taken += 1;
        rooms.waiting.pop()
    };
    #[allow(unused_mut, reason = "tests change it")]
    let mut values = found.unwrap_or_else(|| vec![0f32; length]);
    // In tests, what is not overwritten shows.
    #[cfg(test)]
    values.fill(f32::NAN);
    values
}

/// Keeps the values of a tensor for later, if nobody else holds them and as many were taken.
pub fn give(x: Flat) {
    let length = x.shape().num_elements();
    let whole = x.is_contiguous() && x.bytes().len() == length * size_of::<f32>();
    if length < LEAST || !whole || !x.is_unique() {
        return;
    }
    let mut rooms = rooms();
    let Some(rooms) = rooms.get_mut(&length).filter(|rooms| rooms.taken > 0) else {
        return;
    };
    if let Ok(values) = x.into_data().try_into_vec::<f32>() {
        rooms.taken -= 1;
        rooms.waiting.push(values);
    }
}

/// Lets everything go: what comes next asks for other sizes.
pub fn release() {
    rooms().clear();
}

#[cfg(test)]
mod tests {
    use super::super::backend::tensor;
    use super::*;

    /// No other test asks for this length.
    const LENGTH: usize = 1_234_567;

    fn waiting() -> usize {
        rooms().get(&LENGTH).map_or(0, |rooms| rooms.waiting.len())
    }

    #[test]
    fn what_was_taken_and_is_held_by_nobody_else_is_kept() {
        give(tensor(vec![0f32; LENGTH], [LENGTH]));
        assert_eq!(waiting(), 0, "it was not taken from here");

        let values = take(LENGTH);
        let place = values.as_ptr();
        let x = tensor(values, [LENGTH]);
        let held = x.clone();
        give(x);
        assert_eq!(waiting(), 0, "somebody holds it");
        give(held);
        assert_eq!(waiting(), 1);
        let again = take(LENGTH);
        assert_eq!(again.as_ptr(), place);
    }
}
