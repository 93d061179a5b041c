//! The words of the page in English and Korean.

mod files;
mod plan;
mod problems;
pub mod run;
mod table;

pub use plan::{ranges, stage_label, summary};
pub use problems::{problem, refusal, said};
pub use table::Words;

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Korean.
    Korean,
}

impl Language {
    /// Both.
    pub const ALL: [Self; 2] = [Self::English, Self::Korean];

    /// The tag for `lang` and for addresses.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }

    /// Its own name.
    pub fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Korean => "한국어",
        }
    }

    /// The language of a tag such as `ko` or `ko-KR`.
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL
            .into_iter()
            .find(|l| l.tag().eq_ignore_ascii_case(primary))
    }

    /// The first of a reader's preferred languages that the page speaks; otherwise English.
    pub fn preferred<S: AsRef<str>>(tags: impl IntoIterator<Item = S>) -> Self {
        let known = tags
            .into_iter()
            .find_map(|tag| Self::from_tag(tag.as_ref()));
        known.unwrap_or(Self::English)
    }

    /// Its words.
    pub fn words(self) -> &'static Words {
        match self {
            Self::English => &table::ENGLISH,
            Self::Korean => &table::KOREAN,
        }
    }
}

/// A sentence with its `{holes}` filled.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = values.iter().find(|(key, _)| *key == name);
        text.push_str(value.map_or("", |(_, value)| *value));
        rest = after;
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of a template's holes, sorted.
    fn holes(template: &str) -> Vec<&str> {
        let parts = template.split('{').skip(1);
        let mut names: Vec<&str> = parts.filter_map(|part| part.split('}').next()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn every_text_is_there_in_both_languages_with_the_same_holes() {
        for (key, english, korean) in table::PAIRS {
            assert!(
                !english.trim().is_empty() && !korean.trim().is_empty(),
                "{key}"
            );
            assert_eq!(holes(english), holes(korean), "{key}");
            let hangul = |c: char| ('가'..='힣').contains(&c);
            assert!(!english.contains(hangul), "{key}");
            // What has no Korean is a name or a unit.
            let name = english.split(' ').count() == 1 && english == korean;
            assert!(korean.contains(hangul) || name, "{key}: {korean}");
        }
    }

    #[test]
    fn holes_are_filled_by_name() {
        let text = fill("{a} of {b}, {a}", &[("b", "2"), ("a", "1")]);
        assert_eq!(text, "1 of 2, 1");
        assert_eq!(fill("no {one}", &[]), "no ");
        assert_eq!(fill("open {", &[]), "open ");
    }

    #[test]
    fn the_reader_s_first_known_language_is_taken() {
        assert_eq!(
            Language::preferred(["fr-FR", "ko-KR", "en"]),
            Language::Korean
        );
        assert_eq!(Language::preferred(["en-GB", "ko"]), Language::English);
        assert_eq!(Language::preferred(["kok"]), Language::English);
        assert_eq!(Language::preferred::<&str>([]), Language::English);
    }
}
