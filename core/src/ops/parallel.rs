//! Work over all cores natively, in order in the browser. What a task computes never depends on how
//! many threads there are, so results repeat bit by bit.

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
