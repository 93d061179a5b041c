//! Features at the cut, kept by picture and view: what is frozen is computed once per picture and not
//! once per epoch.
//!
//! Epoch `e` sees view `e mod K` of each picture. A view is fixed: plain letterbox when `K` is 1, one
//! draw of the augmentation otherwise. Features pass through their kept form even when they have just
//! been computed, so that what is learnt does not depend on what the store held: a run that resumes, a
//! second run and one whose store is full come to the same bits.

mod entry;
#[cfg(not(target_arch = "wasm32"))]
mod file;
mod key;
mod store;

use crate::data::Label;
use crate::freeze::prefix::Crossing;

pub use entry::{FeaturePrecision, entry_bytes};
#[cfg(not(target_arch = "wasm32"))]
pub use file::FileStore;
pub use key::{Augmentation, Key};
pub use store::{FeatureStore, RamStore};

/// Features at the cut by picture and view.
pub struct FeatureCache {
    maps: Vec<Crossing>,
    precision: FeaturePrecision,
    pictures: usize,
    views: usize,
    store: Box<dyn FeatureStore>,
    computed: usize,
    taken: usize,
}

/// A batch at the cut in the making.
#[derive(Debug)]
pub struct Draft {
    view: usize,
    pictures: Vec<usize>,
    /// Per map, `[B, C, H, W]`.
    values: Vec<Vec<f32>>,
    /// Per place in the batch; none until it is known.
    labels: Vec<Option<Vec<Label>>>,
}

impl FeatureCache {
    /// A cache for `pictures` pictures in `views` views, whose features are `maps`.
    pub fn new(
        maps: Vec<Crossing>,
        precision: FeaturePrecision,
        pictures: usize,
        views: usize,
        store: Box<dyn FeatureStore>,
    ) -> Self {
        Self {
            maps,
            precision,
            pictures,
            views: views.max(1),
            store,
            computed: 0,
            taken: 0,
        }
    }

    /// The view that `epoch` sees.
    pub fn view(&self, epoch: usize) -> usize {
        epoch % self.views
    }

    /// What crosses for one picture.
    pub fn maps(&self) -> &[Crossing] {
        &self.maps
    }

    /// Per picture, whether its features in `view` seem to be kept.
    pub fn kept(&self, view: usize) -> Vec<bool> {
        (0..self.pictures)
            .map(|picture| self.store.has(self.index(view, picture)))
            .collect()
    }

    /// Views computed so far, and views taken from the store.
    pub fn counts(&self) -> [usize; 2] {
        [self.computed, self.taken]
    }

    /// Why less is kept than was computed; none while all is well.
    pub fn message(&self) -> Option<&str> {
        self.store.message()
    }

    fn index(&self, view: usize, picture: usize) -> usize {
        view * self.pictures + picture
    }

    /// Begins a batch of `pictures` in `view` with what is kept.
    pub fn draft(&mut self, view: usize, pictures: &[usize]) -> Draft {
        let values = self.maps.iter();
        let mut draft = Draft {
            view,
            pictures: pictures.to_vec(),
            values: values
                .map(|map| vec![0.0; pictures.len() * map.len()])
                .collect(),
            labels: vec![None; pictures.len()],
        };
        for (place, &picture) in pictures.iter().enumerate() {
            let index = self.index(view, picture);
            if let Some(entry) = self.store.get(index) {
                draft.fill(place, entry, self.precision);
            }
            self.taken += usize::from(draft.labels[place].is_some());
        }
        draft
    }

    /// Adds a picture that [`Draft::missing`] names: its labels, and its values for each of
    /// [`FeatureCache::maps`]. It is kept from now on.
    pub fn add(&mut self, draft: &mut Draft, picture: usize, labels: &[Label], maps: &[&[f32]]) {
        let entry = entry::encode(labels, maps.iter().copied(), self.precision);
        for place in 0..draft.pictures.len() {
            if draft.pictures[place] == picture && draft.labels[place].is_none() {
                draft.fill(place, &entry, self.precision);
            }
        }
        self.computed += 1;
        self.store.put(self.index(draft.view, picture), entry);
    }
}

impl std::fmt::Debug for FeatureCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeatureCache")
            .field("maps", &self.maps)
            .field("precision", &self.precision)
            .field("pictures", &self.pictures)
            .field("views", &self.views)
            .field("computed", &self.computed)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

impl Draft {
    /// Pictures whose features are not there yet, each once, in the order of the batch.
    pub fn missing(&self) -> Vec<usize> {
        let mut missing = Vec::new();
        for (picture, labels) in self.pictures.iter().zip(&self.labels) {
            if labels.is_none() && !missing.contains(picture) {
                missing.push(*picture);
            }
        }
        missing
    }

    /// The batch: per map its values `[B, C, H, W]`, and all boxes with their place in the batch.
    pub fn finish(self) -> (Vec<Vec<f32>>, Vec<(usize, Label)>) {
        debug_assert!(
            self.labels.iter().all(Option::is_some),
            "pictures are missing"
        );
        let labels = self.labels.into_iter().enumerate();
        let targets = labels
            .flat_map(|(place, labels)| {
                let labels = labels.unwrap_or_default().into_iter();
                labels.map(move |label| (place, label))
            })
            .collect();
        (self.values, targets)
    }

    fn fill(&mut self, place: usize, entry: &[u8], precision: FeaturePrecision) {
        let batch = self.pictures.len();
        let mut maps: Vec<&mut [f32]> = self
            .values
            .iter_mut()
            .map(|values| {
                let length = values.len() / batch;
                &mut values[place * length..][..length]
            })
            .collect();
        self.labels[place] = entry::decode(entry, &mut maps, precision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache() -> FeatureCache {
        let map = |module, shape| Crossing { module, shape };
        FeatureCache::new(
            vec![map(4, [2, 1, 2]), map(9, [1, 1, 1])],
            FeaturePrecision::Single,
            3,
            2,
            Box::new(RamStore::new(u64::MAX)),
        )
    }

    fn label(class: usize) -> Label {
        Label {
            class,
            cxcywh: [0.5; 4],
        }
    }

    /// Completes a draft with values that tell the picture, in a view whose epoch is `view`.
    fn complete(cache: &mut FeatureCache, view: usize, pictures: &[usize]) -> Draft {
        let mut draft = cache.draft(view, pictures);
        for picture in draft.missing() {
            let value = (10 * view + picture) as f32;
            let labels = vec![label(picture); picture];
            cache.add(&mut draft, picture, &labels, &[&[value; 4], &[-value]]);
        }
        draft
    }

    #[test]
    fn a_batch_has_its_pictures_in_order_whoever_was_kept() {
        let mut cache = cache();
        complete(&mut cache, 1, &[1]);
        assert_eq!(cache.kept(1), [false, true, false]);
        assert_eq!(cache.kept(0), [false; 3]);
        let draft = cache.draft(1, &[2, 1, 2]);
        assert_eq!(draft.missing(), [2], "each once");
        let (values, targets) = complete(&mut cache, 1, &[2, 1, 2]).finish();
        assert_eq!(values[0], [[12.0; 4], [11.0; 4], [12.0; 4]].concat());
        assert_eq!(values[1], [-12.0, -11.0, -12.0]);
        let places: Vec<usize> = targets.iter().map(|(place, _)| *place).collect();
        assert_eq!(places, [0, 0, 1, 2, 2]);
        assert_eq!(targets[2].1, label(1));
        let (again, _) = cache.draft(1, &[2, 1, 2]).finish();
        assert_eq!(again, values);
    }

    #[test]
    fn epochs_take_the_views_in_turn() {
        let cache = cache();
        let views: Vec<usize> = (0..5).map(|epoch| cache.view(epoch)).collect();
        assert_eq!(views, [0, 1, 0, 1, 0]);
    }

    #[test]
    fn what_the_store_cannot_keep_is_computed_each_time_with_the_same_result() {
        let mut kept = cache();
        let mut lost = cache();
        lost.store = Box::new(RamStore::new(0));
        lost.precision = FeaturePrecision::Half;
        kept.precision = FeaturePrecision::Half;
        for _ in 0..2 {
            let ours = complete(&mut kept, 0, &[0, 2]).finish();
            let theirs = complete(&mut lost, 0, &[0, 2]).finish();
            assert_eq!(ours, theirs);
        }
        assert_eq!(kept.counts(), [2, 2]);
        assert_eq!(lost.counts(), [4, 0]);
        assert!(lost.message().is_some());
    }
}
