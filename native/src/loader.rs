//! Loads batches in the background: worker threads work ahead, batches come out in order.
//!
//! Worker `i` of `n` makes the jobs `i`, `i + n`, `i + 2n`, … and hands them over through its own
//! bounded channel; the loader takes from the channels in turn. So the order, and with it the run,
//! does not depend on how many workers there are or how fast they are.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use frostline::{Error, Result};

/// Makes the batch of a number.
type Make<T> = dyn Fn(usize) -> Result<T> + Send + Sync;

/// An iterator over batches that are made ahead of time. Dropping it stops its threads: each ends
/// after the batch under way.
pub struct Loader<T> {
    jobs: Vec<usize>,
    /// Index into `jobs` of the next batch to hand out.
    next: usize,
    make: Arc<Make<T>>,
    /// One per worker; empty when batches are made inline.
    channels: Vec<Receiver<Result<T>>>,
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl<T: Send + 'static> Loader<T> {
    /// Starts `workers` threads on `jobs` (batch numbers, in the order in which they come out).
    /// About `prefetch` finished batches wait to be taken, at least one per worker; each worker may
    /// hold one more. Without workers each batch is made when it is asked for.
    ///
    /// # Errors
    /// When the system refuses to start a thread.
    pub fn new(
        jobs: impl IntoIterator<Item = usize>,
        workers: usize,
        prefetch: usize,
        make: impl Fn(usize) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        let jobs: Vec<usize> = jobs.into_iter().collect();
        // More workers than batches would have nothing to do.
        let workers = workers.min(jobs.len());
        let mut loader = Self {
            jobs,
            next: 0,
            make: Arc::new(make),
            channels: Vec::with_capacity(workers),
            threads: Vec::with_capacity(workers),
            stop: Arc::new(AtomicBool::new(false)),
        };
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(prefetch.div_ceil(workers).max(1));
            let mine: Vec<usize> = loader.jobs[worker..]
                .iter()
                .copied()
                .step_by(workers)
                .collect();
            let make = loader.make.clone();
            let stop = loader.stop.clone();
            let work = move || {
                for job in mine {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let batch = attempt(&*make, job);
                    let failed = batch.is_err();
                    // The loader is gone, or will take nothing after an error.
                    if sender.send(batch).is_err() || failed {
                        return;
                    }
                }
            };
            // On an error here the loader is dropped, which stops the threads so far.
            let thread = std::thread::Builder::new()
                .name(format!("loader {worker}"))
                .spawn(work)
                .map_err(Error::io("loader thread"))?;
            loader.channels.push(receiver);
            loader.threads.push(thread);
        }
        Ok(loader)
    }
}

impl<T> Loader<T> {
    /// Ends the iteration and lets the threads go.
    fn close(&mut self) {
        self.next = self.jobs.len();
        self.stop.store(true, Ordering::Relaxed);
        // A worker that waits to hand over wakes up when its channel is gone.
        self.channels.clear();
    }
}

impl<T> Iterator for Loader<T> {
    type Item = Result<T>;

    /// The next batch. After an error there is no further one.
    fn next(&mut self) -> Option<Result<T>> {
        let job = *self.jobs.get(self.next)?;
        let batch = if self.channels.is_empty() {
            attempt(&*self.make, job)
        } else {
            let channel = &self.channels[self.next % self.channels.len()];
            channel
                .recv()
                .unwrap_or_else(|_| Err(lost(job, "it ended")))
        };
        self.next += 1;
        if batch.is_err() {
            self.close();
        }
        Some(batch)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // An error may end it early.
        let left = self.jobs.len() - self.next;
        (left.min(1), Some(left))
    }
}

impl<T> Drop for Loader<T> {
    fn drop(&mut self) {
        self.close();
        for thread in self.threads.drain(..) {
            // A panic of a worker has been handed over as an error already.
            let _ = thread.join();
        }
    }
}

impl<T> std::fmt::Debug for Loader<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loader")
            .field("batches", &self.jobs.len())
            .field("next", &self.next)
            .field("workers", &self.threads.len())
            .finish_non_exhaustive()
    }
}

/// Makes a batch; a panic becomes an error.
fn attempt<T>(make: &Make<T>, job: usize) -> Result<T> {
    // What a panic leaves behind is not looked at again: the loader ends here.
    catch_unwind(AssertUnwindSafe(|| make(job)))
        .unwrap_or_else(|panic| Err(lost(job, &panic_text(&*panic))))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned());
    format!(
        "it panicked: {}",
        text.unwrap_or_else(|| "no message".to_owned())
    )
}

fn lost(job: usize, why: &str) -> Error {
    Error::input(
        format!("batch {job}"),
        format!("no batch from the loader's worker ({why})"),
        "a batch",
        "This is a defect of the program: please report it; --workers 0 may tell more",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;
    use std::time::{Duration, Instant};

    /// Uneven work, so that workers finish out of order.
    fn slow_square(job: usize) -> Result<usize> {
        std::thread::sleep(Duration::from_millis((job * 7 % 5) as u64));
        Ok(job * job)
    }

    #[test]
    fn batches_come_in_order_with_any_number_of_workers() {
        for workers in [0, 1, 2, 3, 7, 100] {
            for prefetch in [0, 1, 8] {
                let jobs = [5, 3, 9, 0, 1, 2, 30, 4, 8, 7, 6];
                let loader = Loader::new(jobs, workers, prefetch, slow_square).unwrap();
                let got: Vec<usize> = loader.map(Result::unwrap).collect();
                assert_eq!(got, jobs.map(|j| j * j), "{workers} workers");
            }
        }
        let mut none = Loader::new([], 4, 4, slow_square).unwrap();
        assert!(none.next().is_none());
    }

    #[test]
    fn an_error_comes_in_its_place_and_ends_the_iteration() {
        for workers in [0, 1, 3] {
            let make = |job| match job {
                4 => Err(Error::input("a.jpg", "a hole", "a picture", "")),
                job => slow_square(job),
            };
            let mut loader = Loader::new(0..100, workers, 4, make).unwrap();
            for job in 0..4 {
                assert_eq!(loader.next().unwrap().unwrap(), job * job);
            }
            let error = loader.next().unwrap().unwrap_err();
            assert!(error.to_string().contains("a.jpg"), "{error}");
            assert!(loader.next().is_none());
        }
    }

    #[test]
    fn a_panic_of_a_worker_is_an_error_with_its_message() {
        for workers in [0, 2] {
            let make = |job| {
                assert!(job != 1, "picture one is cursed");
                Ok(job)
            };
            let mut loader = Loader::new(0..9, workers, 2, make).unwrap();
            assert_eq!(loader.next().unwrap().unwrap(), 0);
            let error = loader.next().unwrap().unwrap_err().to_string();
            assert!(
                error.contains("batch 1") && error.contains("cursed"),
                "{error}"
            );
            assert!(loader.next().is_none());
        }
    }

    #[test]
    fn dropping_the_loader_stops_its_threads_promptly() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = made.clone();
        let make = move |job| {
            counter.fetch_add(1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(2));
            Ok(job)
        };
        let mut loader = Loader::new(0..1_000_000, 3, 6, make).unwrap();
        assert_eq!(loader.next().unwrap().unwrap(), 0);
        let start = Instant::now();
        drop(loader);
        // Threads are joined: nobody is left to hold the closure. The bound is generous for a
        // loaded machine; all the jobs would take ten minutes.
        assert!(start.elapsed() < Duration::from_secs(10));
        assert_eq!(Arc::strong_count(&made), 1);
        assert!(made.load(Ordering::SeqCst) < 1_000);
    }

    #[test]
    fn workers_do_not_run_further_ahead_than_they_may() {
        const WORKERS: usize = 2;
        const PREFETCH: usize = 4;
        let made = Arc::new(AtomicUsize::new(0));
        let counter = made.clone();
        let make = move |job| {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(job)
        };
        let mut loader = Loader::new(0..1_000, WORKERS, PREFETCH, make).unwrap();
        loader.next().unwrap().unwrap();
        std::thread::sleep(Duration::from_millis(100));
        // One taken, those that wait, and one in the hand of each worker.
        assert!(made.load(Ordering::SeqCst) <= 1 + PREFETCH + WORKERS);
    }
}
