//! Batches for training and validation, made in the background.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use frostline::data::cache::{CacheMode, CacheOptions};
use frostline::data::dataset::{DataConfig, Dataset, OpenOptions, Split};
use frostline::data::rect::RectBatches;
use frostline::data::resize::Purpose;
use frostline::data::transform::{TrainTransform, batch, order, rng_for, val_sample};
use frostline::data::{Batch, Source};
use frostline::train::Hyp;
use frostline::train::record::Batches;
use frostline::{Error, Result};

use crate::loader::Loader;
use crate::progress::{Progress, say};

/// Strides that a validation batch is padded by.
const VAL_PAD: f64 = 0.5;
/// Batches that wait ready.
const PREFETCH: usize = 4;

/// Opens a split and says what was found.
///
/// # Errors
/// As [`Dataset::open`].
pub fn open(
    config: &DataConfig,
    split: Split,
    imgsz: usize,
    single_cls: bool,
    cache: CacheMode,
    cache_folder: Option<PathBuf>,
    hash_contents: bool,
) -> Result<Dataset> {
    let options = OpenOptions {
        single_cls,
        imgsz,
        purpose: if split == Split::Train {
            Purpose::Train
        } else {
            Purpose::Val
        },
        require_labels: split == Split::Train,
        hash_contents,
        cache: CacheOptions {
            mode: cache,
            folder: cache_folder,
            ram_budget_bytes: None,
        },
        ..OpenOptions::default()
    };
    let progress = Progress::new(format!("scan {split}"), 0);
    let dataset = Dataset::open(config, split, &options, &mut |done, total| {
        progress.set_range(done, total)
    })?;
    progress.clear();
    say(&dataset.summary());
    for problem in dataset.problems.iter().take(10) {
        say(&format!("  {problem}"));
    }
    if dataset.problems.len() > 10 {
        say(&format!(
            "  and {} more: `frostline data check` lists them all",
            dataset.problems.len() - 10
        ));
    }
    if let Some(message) = dataset.cache_message() {
        say(&message);
    }
    Ok(dataset)
}

/// The training pictures of a run.
#[derive(Debug, Clone)]
pub struct TrainData {
    /// The pictures.
    pub dataset: Arc<Dataset>,
    transform: TrainTransform,
    batch_size: usize,
    seed: u64,
    workers: usize,
}

impl TrainData {
    /// Training data with augmentation by `hyp`.
    pub fn new(
        dataset: Arc<Dataset>,
        hyp: &Hyp,
        imgsz: usize,
        rect: bool,
        batch_size: usize,
        seed: u64,
        workers: usize,
    ) -> Self {
        let rect = rect.then(|| rectangles(&dataset, imgsz, batch_size));
        let transform = TrainTransform {
            imgsz,
            hyp: hyp.clone(),
            augment: true,
            mosaic: rect.is_none(),
            rect,
            pool: None,
        };
        Self {
            dataset,
            transform,
            batch_size,
            seed,
            workers,
        }
    }

    /// The same pictures in batches of another size.
    pub fn in_batches_of(&self, batch_size: usize) -> Self {
        let mut data = self.clone();
        data.batch_size = batch_size;
        if data.transform.rect.is_some() {
            data.transform.rect = Some(rectangles(&self.dataset, self.transform.imgsz, batch_size));
        }
        data
    }

    /// How an epoch is cut, in batches of `size` pictures.
    pub fn cut(&self, size: usize) -> Batches {
        let count = self.dataset.items.len().div_ceil(size);
        Batches { count, size }
    }

    /// Batches per epoch.
    pub fn batches(&self) -> usize {
        self.dataset.items.len().div_ceil(self.batch_size)
    }

    /// The batches of `epoch` from number `first` on. `picks` replaces the shuffled order, as image weights do.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn epoch(
        &self,
        epoch: usize,
        first: usize,
        picks: Option<Vec<usize>>,
    ) -> Result<Loader<Batch>> {
        let order = self.order(epoch, picks);
        let this = self.clone();
        Loader::new(
            first..self.batches(),
            self.workers,
            PREFETCH,
            move |number| {
                let samples = this
                    .positions(number, &order)
                    .map(|position| {
                        let mut rng = rng_for(this.seed, epoch, position);
                        this.transform
                            .sample(&*this.dataset, order[position], &mut rng)
                    })
                    .collect::<Result<Vec<_>>>()?;
                batch(samples)
            },
        )
    }

    /// Seconds that one thread takes to make a batch.
    ///
    /// # Errors
    /// Names the picture that cannot be read.
    pub fn seconds_per_batch(&self) -> Result<f64> {
        let mut first = self.clone();
        first.workers = 0;
        let started = std::time::Instant::now();
        match first.epoch(0, 0, None)?.next() {
            Some(batch) => batch.map(|_| started.elapsed().as_secs_f64()),
            None => Ok(0.0),
        }
    }

    /// Bytes of pictures that the loader holds: batches that wait, and per worker one in the making,
    /// picture by picture and together, and the canvas of a mosaic.
    pub fn held_bytes(&self) -> usize {
        let picture = 3 * self.transform.imgsz.pow(2);
        let canvas = if self.transform.mosaic && self.transform.augment {
            4 * picture
        } else {
            0
        };
        let batch = self.batch_size * picture;
        PREFETCH.max(self.workers) * batch + self.workers * (2 * batch + canvas)
    }

    fn order(&self, epoch: usize, picks: Option<Vec<usize>>) -> Vec<usize> {
        match (&self.transform.rect, picks) {
            (Some(rect), _) => rect.order.clone(),
            (None, Some(picks)) => picks,
            (None, None) => order(self.seed, epoch, self.dataset.items.len()),
        }
    }

    /// Positions of batch `number` within the epoch's `order`.
    fn positions(&self, number: usize, order: &[usize]) -> Range<usize> {
        let start = number * self.batch_size;
        start..(start + self.batch_size).min(order.len())
    }

    /// The same pictures in `count` fixed views each.
    pub fn in_views(&self, count: usize) -> ViewData {
        let mut data = self.clone();
        data.transform.augment = count > 1;
        ViewData { data }
    }
}

/// Batches of like shape.
fn rectangles(dataset: &Dataset, imgsz: usize, batch_size: usize) -> Arc<RectBatches> {
    let sizes: Vec<[usize; 2]> = dataset.items.iter().map(|item| item.size).collect();
    Arc::new(RectBatches::new(&sizes, imgsz, batch_size, 32, 0.0))
}

/// The training pictures of a run that keeps features: each in fixed views, so that what is computed
/// once holds for later epochs.
#[derive(Debug, Clone)]
pub struct ViewData {
    pub(super) data: TrainData,
}

/// A batch at the cut in the making: which pictures, and the pixels that were missing when its epoch began.
#[derive(Debug)]
pub struct ViewBatch {
    /// The pictures in order.
    pub pictures: Vec<usize>,
    /// Pictures whose features were not kept, each once, and their pixels.
    missing: Vec<usize>,
    pixels: Option<Batch>,
    /// All of them, to be drawn.
    pub drawn: Option<Batch>,
}

impl ViewBatch {
    /// The pixels of `pictures`: those that were made ahead, or else made now.
    ///
    /// # Errors
    /// Names the picture that cannot be read.
    pub fn pixels(self, data: &ViewData, view: usize, pictures: &[usize]) -> Result<Batch> {
        match self.pixels {
            Some(pixels) if self.missing == pictures => Ok(pixels),
            _ => data.pixels(view, pictures),
        }
    }
}

impl ViewData {
    /// The pixels of `pictures` in `view`.
    ///
    /// # Errors
    /// Names the picture that cannot be read.
    pub fn pixels(&self, view: usize, pictures: &[usize]) -> Result<Batch> {
        let TrainData {
            dataset,
            transform,
            seed,
            ..
        } = &self.data;
        transform.view_batch(&**dataset, *seed, view, pictures)
    }

    /// The batches of `epoch`, which sees `view`, from number `first` on. `kept` says by picture whose
    /// features are there; the first `drawn` batches come with all their pixels as well.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn epoch(
        &self,
        epoch: usize,
        view: usize,
        first: usize,
        picks: Option<Vec<usize>>,
        kept: Vec<bool>,
        drawn: usize,
    ) -> Result<Loader<ViewBatch>> {
        let order = self.data.order(epoch, picks);
        let this = self.clone();
        Loader::new(
            first..self.data.batches(),
            self.data.workers,
            PREFETCH,
            move |number| {
                let pictures = order[this.data.positions(number, &order)].to_vec();
                let mut missing = Vec::new();
                for &picture in &pictures {
                    if !kept[picture] && !missing.contains(&picture) {
                        missing.push(picture);
                    }
                }
                let pixels = (!missing.is_empty())
                    .then(|| this.pixels(view, &missing))
                    .transpose()?;
                let drawn = (number < drawn)
                    .then(|| this.pixels(view, &pictures))
                    .transpose()?;
                Ok(ViewBatch {
                    pictures,
                    missing,
                    pixels,
                    drawn,
                })
            },
        )
    }
}

/// The pictures that are validated on, in batches of like shape.
#[derive(Debug, Clone)]
pub struct ValData {
    /// The pictures.
    pub dataset: Arc<Dataset>,
    rect: Arc<RectBatches>,
    imgsz: usize,
    workers: usize,
}

impl ValData {
    /// Validation data, cut into rectangles or kept square.
    pub fn new(dataset: Arc<Dataset>, imgsz: usize, batch_size: usize, workers: usize) -> Self {
        let sizes: Vec<[usize; 2]> = dataset.items.iter().map(|item| item.size).collect();
        let rect = Arc::new(RectBatches::new(&sizes, imgsz, batch_size, 32, VAL_PAD));
        Self {
            dataset,
            rect,
            imgsz,
            workers,
        }
    }

    /// The same pictures in batches of another size.
    pub fn in_batches_of(&self, batch_size: usize) -> Self {
        let (dataset, imgsz) = (Arc::clone(&self.dataset), self.imgsz);
        Self::new(dataset, imgsz, batch_size, self.workers)
    }

    /// Number of batches.
    pub fn batches(&self) -> usize {
        self.rect.batches().len()
    }

    /// Pictures and shape `[h, w]` of each batch.
    pub fn shapes(&self) -> impl Iterator<Item = (usize, [usize; 2])> {
        let batches = self.rect.batches();
        batches.map(|(pictures, shape)| (pictures.len(), shape))
    }

    /// The batches from number `first` on.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn load(&self, first: usize) -> Result<Loader<Batch>> {
        let this = self.clone();
        Loader::new(
            first..self.batches(),
            self.workers,
            PREFETCH,
            move |number| this.batch(number),
        )
    }

    /// Batch `number`.
    ///
    /// # Errors
    /// Names the picture that cannot be read.
    pub fn batch(&self, number: usize) -> Result<Batch> {
        let Some((indices, shape)) = self.rect.batches().nth(number) else {
            return Err(Error::input(
                "validation",
                format!("batch {number}"),
                "a batch of the set",
                "",
            ));
        };
        let samples = indices
            .iter()
            .map(|&index| val_sample(&*self.dataset, index, shape))
            .collect::<Result<Vec<_>>>()?;
        batch(samples)
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.dataset.len()
    }
}
