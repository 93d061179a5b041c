//! The data yaml: where the pictures of each set lie, and what the classes are called (fact sheet,
//! section 6).

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::listing::{clean, pictures_below, place, read_text};
use super::picture::{SUFFIXES, has_picture_suffix};
use crate::{Error, Result};

/// Class indices of a `names` dictionary go up to this.
const MAX_CLASSES: usize = 1 << 20;

/// One of the three sets of a data yaml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// What training learns from.
    Train,
    /// What training is judged by.
    Val,
    /// What is looked at once, at the end.
    Test,
}

impl Split {
    /// All three, in the order of the yaml.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// The key in the data yaml, and the value of `--task`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Split {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|split| split.name() == text)
            .ok_or_else(|| {
                Error::input(
                    "split",
                    format!("\"{text}\""),
                    "one of train, val, test",
                    "",
                )
            })
    }
}

/// A settled data yaml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataConfig {
    /// The yaml file itself.
    pub file: PathBuf,
    /// The folder that relative paths of the sets start from.
    pub root: PathBuf,
    /// The class names; their count is the number of classes.
    pub names: Vec<String>,
    /// The `download` entry, kept as text and never run.
    pub download: Option<String>,
    /// Folders that were tried for `root`.
    tried: Vec<PathBuf>,
    /// What the yaml says for train, val and test.
    entries: [Entry; 3],
}

/// The value of `train`, `val` or `test`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Entry {
    line: Option<usize>,
    paths: Vec<String>,
}

impl DataConfig {
    /// Reads the data yaml at `file`.
    ///
    /// # Errors
    /// When the file cannot be read, is not yaml, has no `names`, has holes in them, or its `nc`
    /// disagrees with them. Sets that are not there are an error of [`Self::images`] only.
    pub fn read(file: &Path) -> Result<Self> {
        if !file.exists() {
            return Err(Error::input(
                file.display(),
                "no such file",
                "a data yaml with train, val and names",
                "Mend the path, or draw a set to try with: frostline data synth",
            ));
        }
        Self::parse(&read_text(file)?, file)
    }

    /// Reads the text of a data yaml; `file` is where it (would) lie.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn parse(text: &str, file: &Path) -> Result<Self> {
        let options = serde_saphyr::options! { with_snippet: false };
        let raw: Raw = serde_saphyr::from_str_with_options(text, options).map_err(|e| {
            let line = e.location().and_then(|l| usize::try_from(l.line()).ok());
            Error::input(
                place(file, line),
                e.without_snippet(),
                "a data yaml with train, val and names",
                "",
            )
        })?;
        let entries = [raw.train, raw.val, raw.test].map(|entry| match entry {
            Some(entry) => Entry {
                line: line(&entry),
                paths: entry.value.0,
            },
            None => Entry::default(),
        });
        let names = match raw.names {
            Some(names) => settle_names(file, line(&names), names.value)?,
            None => {
                return Err(Error::input(
                    file.display(),
                    "no names",
                    "names: a list of class names, or a dictionary from 0",
                    "",
                ));
            }
        };
        if let Some(nc) = raw.nc
            && nc.value != names.len()
        {
            return Err(Error::input(
                place(file, line(&nc)),
                format!("nc: {} with {} names", nc.value, names.len()),
                "as many names as classes",
                "Mend one of them, or leave nc out: the names are counted",
            ));
        }
        let tried = root_candidates(file, raw.path.as_deref());
        // The folder that holds the sets; failing that one that exists; failing that the first.
        let root = tried
            .iter()
            .find(|root| {
                let mut paths = entries.iter().flat_map(|entry| &entry.paths);
                paths.any(|path| Path::new(path).is_relative() && root.join(path).exists())
            })
            .or_else(|| tried.iter().find(|root| root.is_dir()))
            .or_else(|| tried.first())
            .cloned()
            .unwrap_or_default();
        Ok(Self {
            file: file.to_path_buf(),
            root,
            names,
            download: raw.download,
            tried,
            entries,
        })
    }

    /// The number of classes.
    #[must_use]
    pub fn nc(&self) -> usize {
        self.names.len()
    }

    /// Whether the yaml says anything for `split`.
    #[must_use]
    pub fn has(&self, split: Split) -> bool {
        !self.entry(split).paths.is_empty()
    }

    /// What the yaml says for `split`, as it stands there.
    pub(crate) fn said(&self, split: Split) -> &[String] {
        &self.entry(split).paths
    }

    /// The folders and lists of `split`, resolved.
    pub(crate) fn sources(&self, split: Split) -> Vec<PathBuf> {
        let paths = self.entry(split).paths.iter();
        paths.map(|path| clean(&self.root.join(path))).collect()
    }

    /// The picture files of `split`, sorted, each once. Files that a list names are not looked for.
    ///
    /// # Errors
    /// When the yaml says nothing for `split`, what it says is not there or cannot be read, or
    /// there is no picture in it; the error tells where pictures were looked for.
    pub fn images(&self, split: Split) -> Result<Vec<PathBuf>> {
        let entry = self.entry(split);
        if entry.paths.is_empty() {
            return Err(Error::input(
                self.file.display(),
                format!("nothing for {split}"),
                format!("{split}: a folder of pictures, a .txt list of them, or several"),
                "",
            ));
        }
        let here = place(&self.file, entry.line);
        let mut images = Vec::new();
        let sources = self.sources(split);
        for (path, said) in sources.iter().zip(&entry.paths) {
            if path.is_dir() {
                pictures_below(path, &mut images)?;
            } else if path.is_file() {
                self.read_list(path, &mut images)?;
            } else {
                let download = if self.download.is_some() {
                    "; the yaml's download entry, which this program never runs, may tell where to get it"
                } else {
                    ""
                };
                return Err(Error::input(
                    &here,
                    format!("{split}: {said}, which is not at {}", self.looked(said)),
                    "a folder of pictures or a .txt list of them",
                    format!("Mend path or {split}{download}"),
                ));
            }
        }
        // By their text, as the reference sorts them.
        images.sort_unstable_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
        images.dedup();
        if images.is_empty() {
            let sources: Vec<_> = sources.iter().map(|p| p.display().to_string()).collect();
            return Err(Error::input(
                &here,
                format!("{split}: no picture in {}", sources.join(", ")),
                format!("pictures with one of the suffixes {}", SUFFIXES.join(", ")),
                "",
            ));
        }
        Ok(images)
    }

    fn entry(&self, split: Split) -> &Entry {
        &self.entries[split as usize]
    }

    /// Where `said` was looked for, in words.
    fn looked(&self, said: &str) -> String {
        if Path::new(said).is_absolute() {
            return "that place".to_owned();
        }
        let places: Vec<_> = self
            .tried
            .iter()
            .map(|root| clean(&root.join(said)).display().to_string())
            .collect();
        places.join(", nor at ")
    }

    /// The pictures that the list at `path` names: absolute, or relative to the list, the root or
    /// the current folder, in this order ("./" always to the list).
    fn read_list(&self, path: &Path, images: &mut Vec<PathBuf>) -> Result<()> {
        if has_picture_suffix(path) {
            return Err(Error::input(
                path.display(),
                "a picture",
                "a folder of pictures or a .txt list of them",
                "Name its folder in the data yaml",
            ));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        for row in read_text(path)?.lines().map(str::trim) {
            let said = Path::new(row);
            if row.is_empty() || !has_picture_suffix(said) {
                continue;
            }
            let beside = folder.join(said);
            let found = if said.is_absolute() || row.starts_with("./") || beside.exists() {
                beside
            } else {
                let others = [self.root.join(said), said.to_path_buf()];
                others.into_iter().find(|p| p.exists()).unwrap_or(beside)
            };
            images.push(clean(&found));
        }
        Ok(())
    }
}

/// The folders that `path` may mean: seen from the yaml, from the current folder, and from the
/// folder above the yaml (the reference keeps its yaml files in `data/` and means the folder above).
fn root_candidates(file: &Path, path: Option<&str>) -> Vec<PathBuf> {
    let said = Path::new(path.unwrap_or("").trim());
    if said.is_absolute() {
        return vec![clean(said)];
    }
    let folder = file.parent().unwrap_or(Path::new(""));
    // `..` in front of what may be a link or nothing at all: resolve the folder first.
    let folder = if cfg!(target_arch = "wasm32") {
        folder.to_path_buf()
    } else {
        std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf())
    };
    let mut candidates = vec![folder.join(said)];
    candidates.extend(std::env::current_dir().ok().map(|cwd| cwd.join(said)));
    candidates.extend(folder.parent().map(|above| above.join(said)));
    let mut seen = HashSet::new();
    candidates
        .iter()
        .map(|path| clean(path))
        .filter(|path| seen.insert(path.clone()))
        .collect()
}

fn line<T>(spanned: &Spanned<T>) -> Option<usize> {
    usize::try_from(spanned.referenced.line())
        .ok()
        .filter(|&line| line > 0)
}

fn settle_names(file: &Path, line: Option<usize>, names: Names) -> Result<Vec<String>> {
    let wrong = |found: String| {
        Err(Error::input(
            place(file, line),
            found,
            "a name for every class from 0 on",
            "",
        ))
    };
    let names = match names {
        Names::List(names) => names,
        Names::Dictionary(names) => {
            let mut settled = BTreeMap::new();
            for (key, name) in names {
                match key.trim().parse::<usize>() {
                    Ok(index) if index < MAX_CLASSES => {
                        if settled.insert(index, name).is_some() {
                            return wrong(format!("names: class {index} twice"));
                        }
                    }
                    _ => return wrong(format!("names: \"{key}\" in the place of a class index")),
                }
            }
            if let Some(hole) = (0..settled.len()).find(|i| !settled.contains_key(i)) {
                return wrong(format!("names: no name for class {hole}"));
            }
            settled.into_values().collect()
        }
    };
    if names.is_empty() {
        return wrong("names: none".to_owned());
    }
    Ok(names)
}

/// The yaml as it stands; other keys are passed over.
#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    train: Option<Spanned<Paths>>,
    #[serde(default)]
    val: Option<Spanned<Paths>>,
    #[serde(default)]
    test: Option<Spanned<Paths>>,
    #[serde(default)]
    names: Option<Spanned<Names>>,
    #[serde(default)]
    nc: Option<Spanned<usize>>,
    #[serde(default)]
    download: Option<String>,
}

/// A path, or a list of them.
struct Paths(Vec<String>);

/// Class names, in order or by index.
enum Names {
    List(Vec<String>),
    Dictionary(Vec<(String, String)>),
}

// Not `#[serde(untagged)]`: that reads scalars by their look first, and a class called `no` or
// `2024` would no longer be a name.
impl<'de> Deserialize<'de> for Paths {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Paths;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a folder, a .txt list, or a list of those")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Paths, E> {
                Ok(Paths(vec![path.to_owned()]))
            }

            fn visit_u64<E: de::Error>(self, path: u64) -> Result<Paths, E> {
                Ok(Paths(vec![path.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Paths, A::Error> {
                let mut paths = Vec::new();
                while let Some(path) = seq.next_element::<String>()? {
                    paths.push(path);
                }
                Ok(Paths(paths))
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit;
        impl<'de> Visitor<'de> for Visit {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of class names, or a dictionary from class index to name")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = seq.next_element::<String>()? {
                    names.push(name);
                }
                Ok(Names::List(names))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(entry) = map.next_entry::<String, String>()? {
                    names.push(entry);
                }
                Ok(Names::Dictionary(names))
            }
        }
        deserializer.deserialize_any(Visit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn parse(text: &str) -> Result<DataConfig> {
        DataConfig::parse(text, Path::new("set/data.yaml"))
    }

    fn message(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    /// Writes empty files; whether they are pictures is none of the yaml's concern.
    fn touch(root: &Path, files: &[&str]) {
        for file in files {
            let path = root.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
    }

    fn listed(config: &DataConfig, split: Split, root: &Path) -> Vec<String> {
        let images = config.images(split).unwrap();
        images
            .iter()
            .map(|path| {
                let path = path.strip_prefix(root).unwrap();
                path.to_str().unwrap().replace('\\', "/")
            })
            .collect()
    }

    #[test]
    fn names_come_as_a_list_or_as_a_dictionary_in_any_order() {
        let list = parse("names: [no, 2024, 'person', ~x]\nnc: 4\n").unwrap();
        assert_eq!(list.names, ["no", "2024", "person", "~x"]);
        let dictionary = parse("names:\n  1: RBC\n  0: Platelets\n  2: yes\n").unwrap();
        assert_eq!(dictionary.names, ["Platelets", "RBC", "yes"]);
        assert_eq!(dictionary.nc(), 3);
    }

    #[test]
    fn holes_and_wrong_counts_and_missing_names_are_told_with_their_line() {
        let hole = message("train: a\nnames:\n  0: a\n  2: c\n");
        assert!(hole.contains("no name for class 1"), "{hole}");
        assert!(hole.starts_with("set/data.yaml:"), "{hole}");
        let count = message("train: a\n\nnc: 3\nnames: [a, b]\n");
        assert!(count.starts_with("set/data.yaml:3: "), "{count}");
        assert!(count.contains("nc: 3 with 2 names"), "{count}");
        assert!(message("train: a\n").contains("no names"));
        assert!(message("names: []\n").contains("names: none"));
        assert!(message("names: {a: b}\n").contains("\"a\""));
        assert!(message("names: cat\n").contains("list of class names"));
    }

    #[test]
    fn broken_yaml_is_an_error_with_the_parsers_line() {
        let broken = message("train: a\nval: [b\nnames: {0: x\n");
        assert!(broken.starts_with("set/data.yaml:"), "{broken}");
        let kind = message("train: a\nval: {b: c}\nnames: [x]\n");
        assert!(kind.starts_with("set/data.yaml:2"), "{kind}");
        assert!(parse("").is_err());
        assert!(parse("- 1\n- 2\n").is_err());
    }

    #[test]
    fn unknown_keys_are_passed_over_and_download_is_only_text() {
        let config = parse(
            "names: [a]\nroboflow: {license: MIT}\ndownload: |\n  import os\n  os.system('x')\n",
        )
        .unwrap();
        assert_eq!(
            config.download.as_deref(),
            Some("import os\nos.system('x')\n")
        );
    }

    #[test]
    fn a_folder_is_searched_recursively_sorted_and_without_hidden_or_other_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        touch(
            &root,
            &[
                "images/train/b.JPG",
                "images/train/a.png",
                "images/train/deep/er/c.webp",
                "images/train/notes.txt",
                "images/train/._b.JPG",
                "images/train/.thumbs/t.jpg",
                "images/train/d.gif",
                "images/train/noext",
            ],
        );
        let text =
            "path: .\ntrain: images/train\nval: [images/train/deep, images/train]\nnames: [a]\n";
        let config = DataConfig::parse(text, &root.join("data.yaml")).unwrap();
        let expected = [
            "images/train/a.png",
            "images/train/b.JPG",
            "images/train/deep/er/c.webp",
        ];
        assert_eq!(listed(&config, Split::Train, &root), expected);
        assert_eq!(
            listed(&config, Split::Val, &root),
            expected,
            "each picture once"
        );
        let missing = config.images(Split::Test).unwrap_err().to_string();
        assert!(missing.contains("nothing for test"), "{missing}");
    }

    #[test]
    fn a_list_names_pictures_relative_to_itself() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        touch(&root, &["lists/images/a.jpg", "images/b.jpg"]);
        let rows = "./images/a.jpg\r\n\r\nimages/b.jpg\nreadme.md\n./gone/c.jpg\n./images/a.jpg\n";
        fs::write(root.join("lists/train.txt"), rows).unwrap();
        let text = "train: lists/train.txt\nnames: [a]\n";
        let config = DataConfig::parse(text, &root.join("data.yaml")).unwrap();
        assert_eq!(
            listed(&config, Split::Train, &root),
            ["images/b.jpg", "lists/gone/c.jpg", "lists/images/a.jpg"]
        );
    }

    #[test]
    fn the_references_path_from_its_data_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        touch(&root, &["datasets/x/images/a.jpg", "yolov5/data/x.yaml"]);
        let text = "path: ../datasets/x\ntrain: images\nval: images\nnames: [a]\n";
        let config = DataConfig::parse(text, &root.join("yolov5/data/x.yaml")).unwrap();
        assert_eq!(config.root, root.join("datasets/x"));
        assert_eq!(
            listed(&config, Split::Train, &root),
            ["datasets/x/images/a.jpg"]
        );
    }

    #[test]
    fn a_set_that_is_not_there_or_empty_tells_where_it_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        touch(&root, &["empty/readme.md"]);
        let text = "path: .\ntrain: images/none\nval: empty\ndownload: x\nnames: [a]\n";
        let config = DataConfig::parse(text, &root.join("data.yaml")).unwrap();
        let train = config.images(Split::Train).unwrap_err().to_string();
        assert!(train.contains("data.yaml:2: "), "{train}");
        assert!(
            train.contains(&root.join("images/none").display().to_string()),
            "{train}"
        );
        assert!(train.contains("download"), "{train}");
        let val = config.images(Split::Val).unwrap_err().to_string();
        assert!(
            val.contains("no picture in") && val.contains("webp"),
            "{val}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_in_a_circle_end() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        touch(&root, &["images/a.jpg"]);
        std::os::unix::fs::symlink(root.join("images"), root.join("images/again")).unwrap();
        let config =
            DataConfig::parse("train: images\nnames: [a]\n", &root.join("d.yaml")).unwrap();
        assert_eq!(listed(&config, Split::Train, &root), ["images/a.jpg"]);
    }

    #[test]
    fn splits_are_spelt_as_in_the_yaml() {
        for split in Split::ALL {
            assert_eq!(split.name().parse::<Split>().unwrap(), split);
        }
        assert!("trian".parse::<Split>().is_err());
    }
}
