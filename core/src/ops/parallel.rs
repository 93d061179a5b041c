//! Work over all cores natively, in order in the browser. What a task computes never depends on how
//! many threads there are, so results repeat bit by bit.

use std::cell::Cell;

/// Floating-point operations below which a task is not worth handing to a thread.
#[cfg(not(target_arch = "wasm32"))]
const TASK_COST: usize = 1 << 15;

/// Tasks worth having: enough that a core that finishes early finds another.
#[cfg(not(target_arch = "wasm32"))]
pub fn tasks() -> usize {
    4 * rayon::current_num_threads()
}

/// Tasks worth having.
#[cfg(target_arch = "wasm32")]
pub fn tasks() -> usize {
    1
}

/// Runs `task` on every item; `cost` estimates the operations of one.
pub fn for_each<T: Send>(items: Vec<T>, cost: usize, task: impl Fn(T) + Send + Sync) {
    map(items, cost, task);
}

/// Results of `task` in the order of the items; `cost` estimates the operations of one.
#[cfg(not(target_arch = "wasm32"))]
pub fn map<T: Send, R: Send>(
    items: Vec<T>,
    cost: usize,
    task: impl Fn(T) -> R + Send + Sync,
) -> Vec<R> {
    use rayon::prelude::*;
    let least = TASK_COST.div_ceil(cost.max(1));
    if items.len() <= least {
        return items.into_iter().map(task).collect();
    }
    items
        .into_par_iter()
        .with_min_len(least)
        .map(task)
        .collect()
}

/// Results of `task` in the order of the items; `cost` estimates the operations of one.
#[cfg(target_arch = "wasm32")]
pub fn map<T: Send, R: Send>(
    items: Vec<T>,
    _: usize,
    task: impl Fn(T) -> R + Send + Sync,
) -> Vec<R> {
    items.into_iter().map(task).collect()
}

/// Lends `task` some room whose contents are left from before.
pub fn with_scratch<const N: usize, R>(
    sizes: [usize; N],
    task: impl FnOnce([&mut [f32]; N]) -> R,
) -> R {
    thread_local! {
        static SCRATCH: Cell<Vec<f32>> = const { Cell::new(vec![]) };
    }
    let mut room = SCRATCH.take();
    let total = sizes.iter().sum();
    if room.len() < total {
        room.resize(total, 0.0);
    }
    let mut rest = &mut room[..];
    let parts = sizes.map(|size| {
        let (part, others) = std::mem::take(&mut rest).split_at_mut(size);
        rest = others;
        part
    });
    let result = task(parts);
    SCRATCH.set(room);
    result
}
