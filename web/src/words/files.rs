//! What the library says of the files of a labelled set, in English and Korean.

/// English, Korean; `{}` stands for what varies.
pub const CATALOGUE: &[(&str, &str)] = &[
    // What it is about.
    ("the files", "파일"),
    ("the zip", "ZIP"),
    // What was found.
    ("a file of another kind", "다른 종류의 파일"),
    ("{} pictures of a test set", "테스트 세트의 사진 {0}장"),
    ("labels without their picture", "사진이 없는 라벨 파일"),
    ("{} more problems", "그 밖의 문제 {0}개"),
    ("a zip that cannot be read ({})", "읽을 수 없는 ZIP({0})"),
    ("{} entries", "파일 {0}개"),
    (
        "an entry that cannot be read ({})",
        "읽을 수 없는 ZIP 안의 파일({0})",
    ),
    ("an encrypted entry", "암호가 걸린 파일"),
    ("a second entry of this name", "이름이 같은 두 번째 파일"),
    (
        "a path that leads out of its folder",
        "폴더 밖으로 나가는 경로",
    ),
    ("more to unpack", "더 풀어야 할 내용"),
    (
        "a JPEG that breaks off before its end marker",
        "끝이 잘린 JPEG",
    ),
    (
        "content of no known picture format",
        "알 수 없는 형식의 내용",
    ),
    ("a picture in the format {}", "{0} 형식의 사진"),
    ("a picture of {} × {} px", "{0} × {1}px 사진"),
    (
        "a picture that cannot be decoded ({})",
        "읽을 수 없는 사진({0})",
    ),
    (
        "bytes that are not UTF-8 text",
        "UTF-8 텍스트가 아닌 바이트",
    ),
    ("the file is UTF-16 text", "UTF-16 텍스트 파일"),
    ("bytes that are not UTF-8", "UTF-8이 아닌 바이트"),
    ("{} columns", "열 {0}개"),
    ("{} in column {}", "{1}번째 열의 {0}"),
    (
        "a box of width {} and height {}",
        "너비 {0}, 높이 {1}인 박스",
    ),
    ("class {}", "클래스 {0}"),
    ("no names", "클래스 이름 없음"),
    ("nc: {} with {} names", "nc는 {0}인데 이름은 {1}개"),
    (
        "names: no name for class {}",
        "클래스 {0}의 이름이 없는 names",
    ),
    ("names: class {} twice", "클래스 {0}이 두 번 나오는 names"),
    (
        "names: {} in the place of a class index",
        "클래스 번호 자리에 {0}이 있는 names",
    ),
    ("names: none", "비어 있는 names"),
    ("no bytes", "내용 없음"),
    ("a second picture of this name", "이름이 같은 두 번째 사진"),
    // What was expected.
    (
        "a bmp, jpeg, png, tiff or webp picture, a label file (.txt), a data yaml or a zip of these",
        "BMP, JPEG, PNG, TIFF, WebP 사진이나 라벨 파일(.txt), 데이터 YAML 또는 이들을 담은 ZIP",
    ),
    (
        "pictures to learn from and pictures to validate on",
        "학습할 사진과 검증할 사진",
    ),
    ("a picture of the same name", "이름이 같은 사진"),
    ("files without problems", "문제없는 파일"),
    ("a whole zip", "온전한 ZIP"),
    (
        "at most {} MiB unpacked at a time",
        "한 번에 푼 크기 {0}MiB 이하",
    ),
    ("at most {} MiB when decoded", "디코딩했을 때 {0}MiB 이하"),
    ("a whole entry", "온전한 파일"),
    ("one that opens without a password", "암호 없이 열리는 파일"),
    ("each name once", "서로 다른 이름"),
    ("a path within it", "폴더 안의 경로"),
    (
        "a picture that can be written as PNG",
        "PNG로 저장할 수 있는 사진",
    ),
    ("a zip that can be written", "쓸 수 있는 ZIP"),
    (
        "a whole bmp, jpeg, png, tiff or webp picture",
        "온전한 BMP, JPEG, PNG, TIFF, WebP 사진",
    ),
    (
        "a bmp, jpeg, png, tiff or webp picture",
        "BMP, JPEG, PNG, TIFF, WebP 사진",
    ),
    ("at least {} × {} px", "{0} × {1}px 이상"),
    (
        "numbers with spaces between them and no commas",
        "쉼표 없이 빈칸으로 나눈 숫자",
    ),
    ("numbers", "숫자"),
    (
        "5 (class cx cy w h), or a class and 3 or more points",
        "5개(class cx cy w h), 또는 클래스와 점 3개 이상",
    ),
    ("a fraction of the picture in 0..1", "사진에 대한 비율(0–1)"),
    ("a number", "숫자"),
    ("both above 0", "둘 다 0보다 큰 값"),
    (
        "UTF-8; save it again as UTF-8",
        "UTF-8(UTF-8로 다시 저장하세요)",
    ),
    ("UTF-8 text", "UTF-8 텍스트"),
    ("a class index (0 or more)", "0 이상의 클래스 번호"),
    (
        "a class index in 0..{} of {}",
        "클래스 {1}개 가운데 하나(번호 0–{0})",
    ),
    (
        "one of {} classes, counted from 0",
        "0부터 센 클래스 {0}개 가운데 하나",
    ),
    (
        "centre and size as fractions of the picture",
        "사진에 대한 비율로 쓴 중심과 크기",
    ),
    (
        "names: a list of class names, or a dictionary from 0",
        "names: 클래스 이름 목록, 또는 0부터 번호를 붙인 이름",
    ),
    ("as many names as classes", "클래스 수만큼의 이름"),
    (
        "a name for every class from 0 on",
        "0번부터 모든 클래스의 이름",
    ),
    (
        "a data yaml with train, val and names",
        "train, val, names가 있는 데이터 YAML",
    ),
    ("its file", "사진 파일"),
    ("one name for each picture", "사진마다 다른 이름"),
    // What to do next.
    (
        "Leave it out, or save it in one of these formats",
        "빼거나, 이 형식 가운데 하나로 저장하세요",
    ),
    (
        "They were left out; name their folder val to take them",
        "이 사진은 뺐습니다. 쓰려면 폴더 이름을 val로 바꾸세요",
    ),
    ("Add both together", "사진과 라벨을 함께 추가하세요"),
    ("The row was left out", "이 줄은 뺐습니다"),
    ("Mend those above first", "위의 문제부터 고치세요"),
    (
        "Pack the files anew, as an ordinary zip",
        "파일을 보통 ZIP으로 다시 묶으세요",
    ),
    ("Pack the files anew", "파일을 다시 묶으세요"),
    ("Divide the set", "세트를 나누어 추가하세요"),
    (
        "Save the picture again, or remove it from the set",
        "사진을 다시 저장하거나 세트에서 빼세요",
    ),
    (
        "Save the picture smaller, or remove it from the set",
        "사진을 더 작게 저장하거나 세트에서 빼세요",
    ),
    ("Remove it from the set", "세트에서 빼세요"),
    (
        "Mend one of them, or leave nc out: the names are counted",
        "둘 중 하나를 고치거나 nc를 빼세요. 이름 수를 세면 됩니다",
    ),
    (
        "Give the box a class of the set",
        "박스에 세트의 클래스를 지정하세요",
    ),
    ("Draw the box again", "박스를 다시 그리세요"),
    ("Give it another name", "다른 이름을 붙이세요"),
    ("Save the file as UTF-8", "파일을 UTF-8로 저장하세요"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Refusal;
    use crate::words::{Language, refusal};

    /// Where the library says these sentences.
    const SOURCES: [&str; 10] = [
        include_str!("../../../core/src/data/archive/folder.rs"),
        include_str!("../../../core/src/data/archive/mod.rs"),
        include_str!("../../../core/src/data/archive/pack.rs"),
        include_str!("../../../core/src/data/archive/unzip.rs"),
        include_str!("../../../core/src/data/config.rs"),
        include_str!("../../../core/src/data/labels.rs"),
        include_str!("../../../core/src/data/listing.rs"),
        include_str!("../../../core/src/data/memory.rs"),
        include_str!("../../../core/src/data/picture.rs"),
        include_str!("../engine/work.rs"),
    ];

    #[test]
    fn every_sentence_of_the_catalogue_is_one_that_the_library_says() {
        let sources = [SOURCES.as_slice(), &[include_str!("../engine/files.rs")]].concat();
        for (english, _) in CATALOGUE {
            for piece in english.split("{}") {
                let piece = piece.trim();
                let said = sources.iter().any(|source| source.contains(piece));
                assert!(said, "{english}: nobody says {piece:?}");
            }
        }
    }

    /// A sentence that is added to what opens files stands here as well, or a Korean reader gets it in English.
    #[test]
    fn what_archives_refuse_is_in_the_catalogue() {
        for source in &SOURCES[..4] {
            let code = source
                .split("#[cfg(test)]\nmod tests {")
                .next()
                .unwrap_or(source);
            let calls = code.split("Error::input(").skip(1);
            for call in calls.map(|rest| &rest[..rest.find(");").unwrap_or(rest.len())]) {
                let texts = call.split('"').skip(1).step_by(2);
                for text in texts.filter(|text| text.contains(' ') && !text.starts_with('{')) {
                    let first = text.split('{').next().unwrap_or(text).trim();
                    let known = CATALOGUE.iter().any(|(english, _)| english.contains(first));
                    assert!(known, "{text:?} has no Korean");
                }
            }
        }
    }

    #[test]
    fn a_label_row_is_refused_in_korean_and_its_file_keeps_its_name() {
        let refused = Refusal {
            place: "cats and dogs.zip, a.txt:3".to_owned(),
            found: "class \"9\"".to_owned(),
            expected: "a class index in 0..1 of 2".to_owned(),
            next: "The row was left out".to_owned(),
        };
        assert_eq!(
            refusal(&refused, Language::Korean),
            "cats and dogs.zip, a.txt:3: 필요한 것은 클래스 2개 가운데 하나(번호 0–1), 쓰인 것은 클래스 \"9\". 이 줄은 뺐습니다."
        );
        let boxed = Refusal {
            place: "cats and dogs.jpg, box 2".to_owned(),
            next: "Draw the box again".to_owned(),
            ..refused
        };
        assert!(refusal(&boxed, Language::Korean).starts_with("cats and dogs.jpg, 박스 2: "));
    }
}
