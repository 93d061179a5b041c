//! Looks at every picture of a set and its labels, on all cores where there are threads.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::labels::{self, LabelFile, label_path};
use super::picture;
use super::problem::{Problem, ProblemKind};
use crate::{Error, Result};

/// Pictures between two reports of progress.
const CHUNK: usize = 64;

/// How closely to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scan {
    /// Class indices must be under this.
    pub nc: usize,
    /// Decode every picture, not just its header.
    pub decode: bool,
    /// Hash the content of every picture.
    pub hash: bool,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Scanned {
    /// Upright size `[w, h]` in pixels, or why there is none.
    pub size: std::result::Result<[usize; 2], Problem>,
    /// Where the labels are or would be.
    pub label_path: PathBuf,
    /// The labels; with the file's own trouble among its problems.
    pub labels: LabelFile,
    /// SHA-256 of the picture's file, if asked for and readable.
    pub hash: Option<[u8; 32]>,
}

impl Scan {
    /// Looks at `images`, in order. `progress` is called with how many are done, and of how many.
    pub(crate) fn run(
        self,
        images: &[PathBuf],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Vec<Scanned> {
        let mut scanned = Vec::with_capacity(images.len());
        progress(0, images.len());
        for chunk in images.chunks(CHUNK) {
            #[cfg(not(target_arch = "wasm32"))]
            {
                use rayon::prelude::*;
                scanned.par_extend(chunk.par_iter().map(|image| self.look(image)));
            }
            #[cfg(target_arch = "wasm32")]
            scanned.extend(chunk.iter().map(|image| self.look(image)));
            progress(scanned.len(), images.len());
        }
        scanned
    }

    fn look(self, image: &Path) -> Scanned {
        let mut hash = None;
        let size = self.look_at_picture(image, &mut hash).map_err(|error| {
            let missing = matches!(&error, Error::Io { source, .. }
                if source.kind() == std::io::ErrorKind::NotFound);
            let kind = if missing {
                ProblemKind::MissingPicture
            } else {
                ProblemKind::UnreadablePicture
            };
            Problem::from_error(image, kind, &error)
        });
        let label_path = label_path(image);
        let labels = labels::read(&label_path, self.nc).unwrap_or_else(|error| LabelFile {
            found: true,
            problems: vec![Problem::from_error(
                &label_path,
                ProblemKind::UnreadableLabels,
                &error,
            )],
            ..LabelFile::default()
        });
        Scanned {
            size,
            label_path,
            labels,
            hash,
        }
    }

    fn look_at_picture(self, image: &Path, hash: &mut Option<[u8; 32]>) -> Result<[usize; 2]> {
        let bytes = picture::read_bytes(image)?;
        if self.hash {
            *hash = Some(Sha256::digest(&bytes).into());
        }
        if self.decode {
            let image = picture::decode(&bytes, image.display())?;
            Ok([image.width() as usize, image.height() as usize])
        } else {
            picture::inspect(&bytes, image.display())
        }
    }
}
