//! The library's errors in the reader's language.
//!
//! The library speaks English. A catalogue keyed by its sentences (`{}` stands for what varies)
//! gives the Korean; a test walks through every error that the freeze language has, so that a
//! sentence that changes there is noticed here.

use frostline::Error;
use frostline::error::Problem;

use super::{Language, files, fill};
use crate::messages::Refusal;

/// English, Korean. Sentences without holes come before those that could swallow them.
const CATALOGUE: &[(&str, &str)] = &[
    // What it is about.
    ("the engine", "엔진"),
    ("the weights", "가중치"),
    ("the fine-tuned weights", "미세 조정한 가중치"),
    ("the data", "데이터"),
    ("the run", "학습"),
    ("the device", "장치"),
    ("the picture", "사진"),
    ("the image size", "이미지 크기"),
    ("the webcam", "웹캠"),
    (
        "a webcam that this page may use",
        "이 페이지가 쓸 수 있는 웹캠",
    ),
    (
        "Allow it in the browser, or take picture files",
        "브라우저에서 허용하거나 사진 파일을 쓰세요",
    ),
    ("the browser's storage", "브라우저 저장소"),
    // Of the page and its engine.
    ("no program", "없는 프로그램"),
    (
        "a program that starts in a worker",
        "워커에서 시작하는 프로그램",
    ),
    (
        "a browser with WebAssembly SIMD",
        "WebAssembly SIMD를 지원하는 브라우저",
    ),
    (
        "Load the page again, or take a recent browser",
        "페이지를 다시 불러오거나 최신 브라우저를 쓰세요",
    ),
    ("a program without defects", "결함 없는 프로그램"),
    (
        "Load the page again, and please report this",
        "페이지를 다시 불러오고, 이 문제를 알려 주세요",
    ),
    (
        "Load the page again: page and engine are of different versions",
        "페이지를 다시 불러오세요. 페이지와 엔진의 버전이 다릅니다",
    ),
    ("the answer to what was asked", "질문에 맞는 대답"),
    ("an engine that has ended", "끝난 엔진"),
    ("an answer", "대답"),
    (
        "Try again: another one starts",
        "다시 해 보세요. 새 엔진이 시작됩니다",
    ),
    ("a file that comes with the page", "페이지와 함께 오는 파일"),
    (
        "Try again when this site can be reached",
        "이 사이트에 연결될 때 다시 해 보세요",
    ),
    ("a file that can be read", "읽을 수 있는 파일"),
    ("Choose it again", "파일을 다시 고르세요"),
    (
        "room to keep pictures, boxes and runs",
        "사진, 박스, 학습을 보관할 공간",
    ),
    (
        "What you do here works, but is gone with the page; take it along as a file",
        "작업은 되지만 페이지를 닫으면 사라집니다. 파일로 저장해 가져가세요",
    ),
    ("none", "없음"),
    ("a .pt or .safetensors file", ".pt 또는 .safetensors 파일"),
    ("Load some", "하나 불러오세요"),
    (
        "an ONNX file that ends early or is damaged",
        "중간에 끊겼거나 손상된 ONNX 파일",
    ),
    ("a complete .onnx file", "온전한 .onnx 파일"),
    ("Export or copy it again", "다시 내보내거나 복사하세요"),
    (
        "an ONNX file without an architecture in its metadata",
        "메타데이터에 구조가 없는 ONNX 파일",
    ),
    (
        "one that `frostline export` wrote",
        "`frostline export`로 만든 파일",
    ),
    (
        "Use the .pt or .safetensors file that it was made from",
        "원본인 .pt나 .safetensors 파일을 쓰세요",
    ),
    (
        "{}, whose BatchNorm is folded in these weights",
        "이 가중치에서 BatchNorm이 합쳐진 {0}",
    ),
    (
        "weights with their BatchNorms where modules train",
        "학습할 모듈에 BatchNorm이 있는 가중치",
    ),
    (
        "Start from the .pt or .safetensors that the .onnx file was made from, or train Detect alone with --freeze all-but-detect",
        "원본인 .pt나 .safetensors로 시작하거나 --freeze all-but-detect로 Detect만 학습하세요",
    ),
    ("a run that has finished an epoch", "한 에폭 이상 마친 학습"),
    ("a run under way", "진행 중인 학습"),
    ("Start a run", "학습을 시작하세요"),
    ("Start one", "하나 시작하세요"),
    ("pictures with boxes", "박스가 있는 사진"),
    ("Add some", "추가하세요"),
    ("no picture", "사진 없음"),
    ("pictures to learn from", "학습할 사진"),
    ("pictures to validate on", "검증할 사진"),
    ("not one box to learn from", "학습할 박스 없음"),
    ("boxes around what is to be found", "찾을 것을 두른 박스"),
    ("Draw some", "박스를 그리세요"),
    ("another run began", "새로 시작한 다른 학습"),
    ("other weights came", "바뀐 가중치"),
    ("other pictures came", "바뀐 사진"),
    ("another device was chosen", "바뀐 장치"),
    ("a run that goes on to its end", "끝까지 이어지는 학습"),
    ("a finished computation", "끝난 계산"),
    (
        "Ask again: the engine computes on the CPU now",
        "다시 해 보세요. 이제 엔진이 CPU로 계산합니다",
    ),
    (
        "a multiple of 32 px up to 4096",
        "4096 이하인 32의 배수(px)",
    ),
    ("{} px", "{0}px"),
    // Looking at a picture.
    ("the webcam", "웹캠"),
    (
        "a webcam that this page may use",
        "이 페이지가 쓸 수 있는 웹캠",
    ),
    (
        "Allow it in the browser, or take picture files",
        "브라우저에서 허용하거나 사진 파일을 고르세요",
    ),
    (
        "this page has no access to devices",
        "장치를 쓸 수 없는 페이지",
    ),
    ("Permission denied", "허용되지 않음"),
    ("Requested device not found", "웹캠 없음"),
    (
        "a file that this browser cannot show",
        "이 브라우저가 보여 줄 수 없는 파일",
    ),
    ("a picture", "사진"),
    (
        "Take a JPEG, PNG or WebP file",
        "JPEG, PNG, WebP 파일을 고르세요",
    ),
    // What was found.
    ("a second @", "두 번째 @"),
    ("a stage without an epoch", "에폭이 없는 단계"),
    (
        "a first stage from epoch {}",
        "{0} 에폭에서 시작하는 첫 단계",
    ),
    ("epoch {} after epoch {}", "{1} 에폭 뒤에 온 {0} 에폭"),
    ("an empty term after !", "! 뒤의 빈 항목"),
    ("an empty term", "빈 항목"),
    ("nothing", "빈 곳"),
    ("{} bytes", "{0}바이트"),
    ("{}, which runs backwards", "거꾸로 쓴 {0}"),
    ("{} in a pattern", "패턴에 쓰인 {0}"),
    (
        "all {} tensors frozen from epoch {} on",
        "{1} 에폭부터 텐서 {0}개를 모두 동결하는 계획",
    ),
    ("all {} tensors frozen", "텐서 {0}개를 모두 동결하는 계획"),
    (
        "{}, which is empty in this network",
        "이 네트워크에 없는 {0}",
    ),
    ("{}, without parameters", "파라미터가 없는 {0}"),
    (
        "{}, which matches no parameter",
        "어느 파라미터와도 맞지 않는 {0}",
    ),
    // What was expected.
    (
        "at most {}: the network has {} and one must train",
        "최대 {0}개(전체 {1}개 가운데 하나는 학습해야 합니다)",
    ),
    ("one epoch for each stage", "단계마다 에폭 하나"),
    (
        "an epoch for every stage after the first",
        "두 번째 단계부터는 단계마다 에폭",
    ),
    ("a first stage from epoch 0", "0 에폭에서 시작하는 첫 단계"),
    (
        "epochs that increase from stage to stage",
        "단계가 갈수록 커지는 에폭",
    ),
    (
        "a module, a range, a name or a pattern",
        "모듈, 범위, 이름 또는 패턴",
    ),
    ("what to take away", "뺄 것"),
    ("one module after =", "= 뒤에 모듈 하나"),
    (
        "a module (5), a range (0-9), a pattern, or one of none, all, backbone, neck, head, detect, all-but-detect",
        "모듈(5), 범위(0-9), 패턴 또는 none, all, backbone, neck, head, detect, all-but-detect 중 하나",
    ),
    ("a range of two modules", "모듈 두 개로 된 범위"),
    ("the smaller module first", "작은 번호가 앞에 온 범위"),
    ("letters, digits, _, . and *", "영문자, 숫자, _, . 그리고 *"),
    ("something left to train", "학습할 것이 남는 계획"),
    ("a part with parameters", "파라미터가 있는 부분"),
    ("modules with parameters to freeze", "파라미터가 있는 모듈"),
    (
        "a pattern that matches at least one",
        "파라미터 하나 이상과 맞는 패턴",
    ),
    ("a multiple of {}, at most {}", "{1} 이하인 {0}의 배수"),
    ("{}, in digits", "숫자로 쓴 {0}"),
    ("{}, at most {}", "{1} 이하인 {0}"),
    ("at most {}", "{0} 이하"),
    ("modules {} to {}", "{0}번에서 {1}번까지의 모듈"),
    ("an epoch", "에폭"),
    ("a number of modules", "모듈 개수"),
    ("a module after =", "= 뒤의 모듈"),
    ("a module", "모듈"),
    ("the first module of a range", "범위의 첫 모듈"),
    ("the last module of a range", "범위의 마지막 모듈"),
    // What to do next.
    (
        "Ranges and patterns say more in fewer words",
        "범위나 패턴을 쓰면 짧아집니다",
    ),
    (
        "Separate stages by a semicolon, as in 24; 10@5",
        "24; 10@5처럼 단계를 쌍반점(;)으로 나누세요",
    ),
    (
        "Say from which epoch it acts, as in {}@5",
        "{0}@5처럼 몇 에폭부터인지 쓰세요",
    ),
    (
        "To freeze nothing before it, write 0; {}",
        "그 전에 아무것도 동결하지 않으려면 0; {0}이라고 쓰세요",
    ),
    ("Take an epoch above {}", "{0}보다 큰 에폭을 쓰세요"),
    (
        "To freeze nothing write none",
        "아무것도 동결하지 않으려면 none이라고 쓰세요",
    ),
    (
        "Write ! directly before it, as in backbone,!9",
        "backbone,!9처럼 !를 바로 앞에 붙이세요",
    ),
    (
        "For a range leave out the =: {}",
        "범위라면 =를 빼고 {0}이라고 쓰세요",
    ),
    (
        "There are no negative modules; to freeze nothing write none",
        "음수 모듈은 없습니다. 아무것도 동결하지 않으려면 none이라고 쓰세요",
    ),
    ("Did you mean {}?", "혹시 {0}인가요?"),
    (
        "A pattern over parameter names holds a . or a *, as in model.2.cv1.*",
        "파라미터 이름 패턴에는 model.2.cv1.*처럼 . 또는 *가 들어갑니다",
    ),
    (
        "Write 0-9, or 10- for all from 10 on",
        "0-9처럼, 또는 10번부터 모두라면 10-처럼 쓰세요",
    ),
    ("Write {}", "{0}이라고 쓰세요"),
    (
        "Patterns match whole parameter names, as model.2.cv1.* does",
        "패턴은 model.2.cv1.*처럼 이름 전체와 맞아야 합니다",
    ),
    (
        "Patterns match whole names: {} would match",
        "패턴은 이름 전체와 맞아야 합니다. {0}라면 맞습니다",
    ),
    (
        "Names look like {} and {}",
        "이름은 {0}, {1}처럼 생겼습니다",
    ),
    (
        "The widest plan that makes sense is {}: all modules but Detect",
        "가장 넓은 계획은 Detect만 빼고 모두 동결하는 {0}입니다",
    ),
    (
        "{} freezes all but Detect",
        "{0}이라고 쓰면 Detect만 빼고 모두 동결합니다",
    ),
    (
        "The last module, {}, is Detect",
        "마지막 모듈 {0}번이 Detect입니다",
    ),
    (
        "The backbone is 0 to {}, Detect is {}",
        "백본은 0–{0}번, Detect는 {1}번입니다",
    ),
    (
        "Leave it out: it is frozen when what it reads is",
        "빼도 됩니다. 읽어 오는 모듈이 동결되면 함께 동결됩니다",
    ),
    ("Take {}", "{0}은 맞습니다"),
    // Parts of the above; the most general last.
    ("{} and {}", "{0}, {1}"),
    ("module {} ({})", "{0}번 모듈({1})"),
    ("module {}", "{0}번 모듈"),
    ("{} modules", "모듈 {0}개"),
];

/// What an error of the library says is wrong. The page reads no files, so that all errors are about inputs.
pub fn said(error: Error) -> Problem {
    match error {
        Error::Input(problem) => *problem,
        other => Problem {
            place: String::new(),
            found: other.to_string(),
            expected: String::new(),
            next: String::new(),
        },
    }
}

/// What the engine refuses, with what it is about, in the reader's language.
pub fn refusal(refusal: &Refusal, language: Language) -> String {
    let place = match language {
        Language::English => refusal.place.clone(),
        Language::Korean => korean_place(&refusal.place),
    };
    let mut begin = place.chars();
    let place = match begin.next() {
        // A thing's name begins the sentence; a file's is left as it is.
        Some(first) if refusal.place.starts_with("the ") => {
            first.to_uppercase().chain(begin).collect()
        }
        _ => place,
    };
    let Error::Input(found) = Error::from(refusal.clone()) else {
        return place;
    };
    format!("{place}: {}", problem(&found, language))
}

/// What is wrong with an input, in a language: where, what was found, what was expected, and a hint.
pub fn problem(problem: &Problem, language: Language) -> String {
    let say = |text: &str| match language {
        Language::English => text.to_owned(),
        Language::Korean => korean(text),
    };
    let words = language.words();
    let column = problem
        .place
        .rsplit_once(", column ")
        .map_or("", |(_, column)| column);
    let template = if column.is_empty() {
        words.problem_anywhere
    } else {
        words.problem
    };
    let mut text = fill(
        template,
        &[
            ("column", column),
            ("found", &say(&problem.found)),
            ("expected", &say(&problem.expected)),
        ],
    );
    if !problem.next.is_empty() {
        let next = say(&problem.next);
        let stop = if next.ends_with(['?', '.']) { "" } else { "." };
        text = format!("{text} {next}{stop}");
    }
    text
}

/// The Korean of a place. What begins with an article is a thing; anything else is the name of a file, which stays.
fn korean_place(place: &str) -> String {
    if place.starts_with("the ") {
        return korean(place);
    }
    match place.rsplit_once(", box ") {
        Some((file, number)) => format!("{file}, 박스 {number}"),
        None => place.to_owned(),
    }
}

/// The Korean of a sentence; what the catalogue does not know stays as it is.
fn korean(text: &str) -> String {
    for (english, korean) in files::CATALOGUE.iter().chain(CATALOGUE) {
        if let Some(holes) = holes(english, text) {
            let holes: Vec<String> = holes.into_iter().map(self::korean).collect();
            let numbers: Vec<String> = (0..holes.len()).map(|i| i.to_string()).collect();
            let values: Vec<(&str, &str)> = (numbers.iter().zip(&holes))
                .map(|(number, hole)| (number.as_str(), hole.as_str()))
                .collect();
            return fill(korean, &values);
        }
    }
    text.to_owned()
}

/// What stands in a template's holes, if the text is of its form.
fn holes<'a>(template: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut pieces = template.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut holes = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        // The last piece must be the end, the others may come as early as they do.
        let (hole, after) = if pieces.peek().is_none() {
            (rest.strip_suffix(piece)?, "")
        } else {
            rest.split_once(piece)?
        };
        if hole.is_empty() {
            return None;
        }
        holes.push(hole);
        rest = after;
    }
    rest.is_empty().then_some(holes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Network;
    use frostline::model::Size;

    /// Every way in which a plan can be wrong.
    const WRONG: &[&str] = &[
        "10@0@1",
        "24;10",
        "10@3",
        "24;10@5;0@5",
        "24;10@x",
        "24;10@",
        "1,,2",
        "backbone,!",
        "",
        "=2-3",
        "=x",
        "=",
        "bakbone",
        "model",
        "-1",
        "1-2-3",
        "9-3",
        "1-x",
        "x.$",
        "model.2.é",
        "99999999999",
        "3,25",
        "26",
        "=25",
        "30-",
        "!99",
        "all",
        "10; all@7",
        "=11",
        "11-12",
        "model.2.cv1",
        "modell.*",
        "!model.2.cv1",
        "BACKBONE",
        "0x",
    ];

    fn error(text: &str) -> Problem {
        let network = Network::new(Size::N, 80, 640, 1).unwrap();
        said(network.plan(text).unwrap_err())
    }

    /// Words of English sentences: of two letters and more, no names of the language or of modules.
    fn english_words(text: &str) -> Vec<&str> {
        let known = [
            "none", "all", "backbone", "neck", "head", "detect", "but", "Detect", "Upsample",
            "Concat", "bakbone", "model", "modell", "cv1", "conv", "weight", "bias", "BACKBONE",
        ];
        text.split(|c: char| !c.is_ascii_alphabetic() && c != '1')
            .filter(|word| word.len() > 1 && word.chars().all(char::is_alphanumeric))
            .filter(|word| word.chars().any(|c| c.is_ascii_alphabetic()) && !known.contains(word))
            .collect()
    }

    #[test]
    fn every_error_of_the_freeze_language_is_said_in_korean() {
        for text in WRONG {
            let error = error(text);
            let korean = problem(&error, Language::Korean);
            assert!(
                english_words(&korean).is_empty(),
                "{text:?}: {korean} | {error}"
            );
        }
        let long = "0,".repeat(9000);
        let korean = problem(&error(&long), Language::Korean);
        assert!(english_words(&korean).is_empty(), "{korean}");
    }

    #[test]
    fn an_image_size_that_does_not_fit_is_said_in_both_languages() {
        let error = said(Network::new(Size::N, 80, 100, 1).unwrap_err());
        assert_eq!(
            problem(&error, Language::English),
            "Found 100, expected a multiple of 32, at most 16384. Take 96."
        );
        assert_eq!(
            problem(&error, Language::Korean),
            "필요한 것은 16384 이하인 32의 배수, 쓰인 것은 100. 96은 맞습니다."
        );
    }

    #[test]
    fn errors_say_where_and_what_to_do() {
        assert_eq!(
            problem(&error("3,25"), Language::English),
            "Character 3: found module 25, expected modules 0 to 24. The last module, 24, is Detect."
        );
        assert_eq!(
            problem(&error("3,25"), Language::Korean),
            "3번째 글자: 필요한 것은 0번에서 24번까지의 모듈, 쓰인 것은 25번 모듈. 마지막 모듈 24번이 Detect입니다."
        );
        assert_eq!(
            problem(&error("11-12"), Language::Korean),
            "1번째 글자: 필요한 것은 파라미터가 있는 모듈, 쓰인 것은 파라미터가 없는 11번 모듈(Upsample), 12번 모듈(Concat). \
             빼도 됩니다. 읽어 오는 모듈이 동결되면 함께 동결됩니다."
        );
    }

    #[test]
    fn holes_are_found_only_where_the_form_fits() {
        assert_eq!(
            holes("module {} ({})", "module 11 (Upsample)"),
            Some(vec!["11", "Upsample"])
        );
        assert_eq!(holes("{} bytes", "3 bytes more"), None);
        assert_eq!(holes("Take {}", "Take "), None);
        assert_eq!(holes("none", "none"), Some(vec![]));
        assert_eq!(holes("none", "nonesuch"), None);
    }
}
