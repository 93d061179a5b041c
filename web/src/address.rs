//! What an address says of the page's state: `?view=freeze&freeze=10&size=n&lang=ko&theme=dark`.

use frostline::model::Size;
use frostline::model::architecture::MAX_CLASSES;

use crate::messages::Wish;
use crate::words::Language;

/// Most pictures per step that the page counts for.
pub const MAX_BATCH: usize = 4096;

/// Light, dark, or what the system prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::System, Self::Light, Self::Dark];

    /// Its name in addresses and for the style sheet.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|theme| theme.name() == name)
    }
}

/// The part of the page that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[allow(missing_docs)]
pub enum View {
    #[default]
    Freeze,
    Data,
    Train,
    Detect,
    Race,
    Xray,
}

impl View {
    /// All of them, in the order of the way through.
    pub const ALL: [Self; 6] = [
        Self::Freeze,
        Self::Data,
        Self::Train,
        Self::Detect,
        Self::Race,
        Self::Xray,
    ];

    /// Its name in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::Data => "data",
            Self::Train => "train",
            Self::Detect => "detect",
            Self::Race => "race",
            Self::Xray => "xray",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|view| view.name() == name)
    }
}

/// What the page shows, as far as an address can say it. The fields are as a person typed them: they may be wrong, and are
/// then shown with what is wrong about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Which part.
    pub view: View,
    /// Which network.
    pub size: Size,
    /// Number of classes.
    pub classes: String,
    /// Side of the pictures in pixels.
    pub imgsz: String,
    /// Pictures per step.
    pub batch: String,
    /// What is frozen, in the freeze language.
    pub freeze: String,
    /// Said by the address, otherwise the browser's.
    pub language: Option<Language>,
    /// Said by the address, otherwise the system's.
    pub theme: Theme,
    /// What the engine computes on.
    pub device: Wish,
    /// The origin of the page around this one, when it is embedded.
    pub host: Option<String>,
}

impl Default for Address {
    fn default() -> Self {
        Self {
            view: View::Freeze,
            size: Size::N,
            classes: "80".to_owned(),
            imgsz: "640".to_owned(),
            batch: "16".to_owned(),
            freeze: "10".to_owned(),
            language: None,
            theme: Theme::System,
            device: Wish::Auto,
            host: None,
        }
    }
}

impl Address {
    /// Reads a query, with or without its `?`. Unknown names are left alone, unknown values are
    /// passed over.
    pub fn from_query(query: &str) -> Self {
        let mut address = Self::default();
        let query = query.trim_start_matches('?');
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            address.set(&name, &value);
        }
        address
    }

    /// Takes one value by its name in addresses; says whether it did.
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        // Long enough for any plan, and nothing else needs more.
        if value.len() > 4096 {
            return false;
        }
        let text = || value.to_owned();
        match name {
            "view" => match View::from_name(value) {
                Some(view) => self.view = view,
                None => return false,
            },
            "size" => match value.parse() {
                Ok(size) => self.size = size,
                Err(_) => return false,
            },
            "classes" => self.classes = text(),
            "imgsz" => self.imgsz = text(),
            "batch" => self.batch = text(),
            "freeze" => self.freeze = text(),
            "lang" => match Language::from_tag(value) {
                Some(language) => self.language = Some(language),
                None => return false,
            },
            "theme" => match Theme::from_name(value) {
                Some(theme) => self.theme = theme,
                None => return false,
            },
            "device" => match device(value) {
                Some(device) => self.device = device,
                None => return false,
            },
            "host" if value.starts_with("http://") || value.starts_with("https://") => {
                self.host = Some(text());
            }
            _ => return false,
        }
        true
    }

    /// The query that says the same: `view`, `freeze` and `size` always, the rest where it is not
    /// what the page begins with. Views that train begin with other numbers, so that theirs always say them.
    pub fn to_query(&self) -> String {
        let start = Self::default();
        let mut query = form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
        query.append_pair("view", self.view.name());
        query.append_pair("freeze", &self.freeze);
        query.append_pair("size", &self.size.to_string());
        for (name, value, usual) in [
            ("classes", &self.classes, &start.classes),
            ("imgsz", &self.imgsz, &start.imgsz),
            ("batch", &self.batch, &start.batch),
        ] {
            let trains = matches!(self.view, View::Train | View::Race) && name != "classes";
            if value != usual || trains {
                query.append_pair(name, value);
            }
        }
        if let Some(language) = self.language {
            query.append_pair("lang", language.tag());
        }
        if self.theme != Theme::System {
            query.append_pair("theme", self.theme.name());
        }
        if let Some((name, _)) = DEVICES.iter().find(|(_, device)| *device == self.device)
            && self.device != Wish::Auto
        {
            query.append_pair("device", name);
        }
        if let Some(host) = &self.host {
            query.append_pair("host", host);
        }
        query.finish()
    }
}

/// Devices by their names in addresses.
const DEVICES: [(&str, Wish); 3] = [("auto", Wish::Auto), ("gpu", Wish::Gpu), ("cpu", Wish::Cpu)];

fn device(name: &str) -> Option<Wish> {
    let found = DEVICES.iter().find(|(known, _)| *known == name);
    found.map(|(_, device)| *device)
}

/// A number as a person typed it, when it lies in a range.
pub fn number(text: &str, least: usize, most: usize) -> Option<usize> {
    let digits: String = text.trim().chars().filter(|c| *c != ',').collect();
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let number = plain.then(|| digits.parse::<usize>().ok()).flatten()?;
    (least..=most).contains(&number).then_some(number)
}

/// The number of classes of a text.
pub fn classes(text: &str) -> Option<usize> {
    number(text, 1, MAX_CLASSES)
}

/// The number of pictures of a text.
pub fn batch(text: &str) -> Option<usize> {
    number(text, 1, MAX_BATCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written() {
        let query = "?view=train&freeze=24%3B+10%405&size=x&classes=3&imgsz=640&batch=16&lang=ko&theme=dark&device=cpu";
        let address = Address::from_query(query);
        assert_eq!(address.view, View::Train);
        assert_eq!(address.freeze, "24; 10@5");
        assert_eq!(address.size, Size::X);
        assert_eq!(address.classes, "3");
        assert_eq!(address.language, Some(Language::Korean));
        assert_eq!(address.theme, Theme::Dark);
        assert_eq!(address.to_query(), query);
    }

    #[test]
    fn what_is_usual_is_left_out() {
        assert_eq!(
            Address::from_query("").to_query(),
            "?view=freeze&freeze=10&size=n"
        );
    }

    #[test]
    fn views_that_train_say_their_numbers() {
        let address = Address::from_query("?view=train&freeze=24");
        assert_eq!(
            address.to_query(),
            "?view=train&freeze=24&size=n&imgsz=640&batch=16"
        );
    }

    #[test]
    fn unknown_values_are_passed_over_and_wrong_plans_kept_to_be_shown() {
        let address = Address::from_query(
            "view=moon&size=q&lang=fr&theme=pink&host=javascript:1&freeze=bakbone&a=b",
        );
        assert_eq!(
            address,
            Address {
                freeze: "bakbone".to_owned(),
                ..Address::default()
            }
        );
        let long = format!("freeze={}", "1,".repeat(4000));
        assert_eq!(Address::from_query(&long), Address::default());
    }

    #[test]
    fn numbers_are_digits_in_a_range() {
        assert_eq!(classes("80"), Some(80));
        assert_eq!(classes(" 1,000 "), Some(1000));
        for wrong in [
            "",
            "0",
            "-1",
            "1.5",
            "x",
            "16385",
            "99999999999999999999999",
        ] {
            assert_eq!(classes(wrong), None, "{wrong}");
        }
        assert_eq!(batch("4096"), Some(4096));
        assert_eq!(batch("4097"), None);
    }
}
