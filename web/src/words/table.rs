//! The table of words: each text in English and in Korean, side by side. A text that lacks either
//! does not compile.

macro_rules! words {
    ($($key:ident: $english:literal, $korean:literal;)*) => {
        /// Every text of the page in one language. Texts with `{holes}` go through [`super::fill`].
        #[derive(Debug)]
        #[allow(missing_docs)]
        pub struct Words {
            $(pub $key: &'static str,)*
        }

        pub(super) static ENGLISH: Words = Words { $($key: $english,)* };
        pub(super) static KOREAN: Words = Words { $($key: $korean,)* };
        /// Name, English, Korean.
        #[cfg(test)]
        pub(super) const PAIRS: &[(&str, &str, &str)] =
            &[$((stringify!($key), $english, $korean),)*];
    };
}

words! {
    // The page.
    title: "Frostline: what freezing does", "Frostline: 동결하면 무엇이 달라지나";
    brand: "Frostline", "Frostline";
    tagline: "What freezing does to a detector",
        "검출기를 동결하면 무엇이 달라지나";
    lead: "This is YOLOv5, module by module. Move the frost line: what lies before it stays exactly as it is, what lies after it learns your pictures.",
        "YOLOv5의 모듈을 하나하나 펼친 그림입니다. 동결선을 움직여 보세요. 선 앞쪽은 지금 모습 그대로 동결(freezing)되고, 선 뒤쪽만 새 사진을 배웁니다.";
    views: "Views", "화면";
    view_freeze: "Freeze", "동결";
    view_data: "Pictures", "사진";
    view_train: "Train", "학습";
    view_detect: "Detect", "검출";
    view_race: "Race", "비교";
    view_xray: "X-ray", "엑스레이";
    skip_to_view: "Skip to the content", "본문으로 건너뛰기";
    skip_to_picture: "Skip to the picture", "그림으로 건너뛰기";
    language: "Language", "언어";
    theme: "Theme", "화면 테마";
    theme_system: "As the system", "시스템 설정";
    theme_light: "Light", "밝게";
    theme_dark: "Dark", "어둡게";
    footer: "Everything on this page is computed in this browser. Nothing is sent anywhere.",
        "이 페이지의 모든 값은 이 브라우저 안에서 계산하며, 어디로도 전송하지 않습니다.";
    full_page: "Open the whole page", "전체 페이지 열기";

    // The engine.
    engine_loading: "The engine is loading …", "엔진을 불러오는 중 …";
    engine_gpu: "The engine computes on the GPU: {name}.", "엔진이 GPU로 계산합니다: {name}";
    engine_cpu: "The engine computes on the CPU.", "엔진이 CPU로 계산합니다.";
    engine_lost: "The GPU went away.", "GPU를 쓸 수 없게 되었습니다.";
    engine_lost_in_run: "The GPU went away; the run goes on from epoch {epoch}.",
        "GPU를 쓸 수 없게 되어 {epoch} 에폭부터 이어서 학습합니다.";
    engine_again: "Start it again", "다시 시작";
    device: "Device", "장치";
    device_auto: "Auto", "자동";
    device_gpu: "GPU", "GPU";
    device_cpu: "CPU", "CPU";

    // Choosing a network.
    network: "Network", "네트워크";
    size: "Size", "크기";
    classes: "Classes", "클래스 수";
    image_side: "Image, px", "이미지(px)";
    batch: "Batch", "배치";
    whole_number: "Write a whole number from {least} to {most}, for example {example}.",
        "{least}부터 {most}까지의 정수를 쓰세요. 예: {example}";

    // What is frozen.
    freeze: "Freeze", "동결할 모듈";
    freeze_hint: "10 means modules 0–9. Also 0-4,7 · backbone,!9 · model.2.cv1.* · 24; 10@5",
        "10은 0–9번 모듈. 그 밖에 0-4,7 · backbone,!9 · model.2.cv1.* · 24; 10@5";
    nothing: "Nothing", "없음";
    backbone: "Backbone", "백본";
    neck: "Neck", "넥";
    detect: "Detect", "Detect";
    all_but_detect: "All but Detect", "Detect만 빼고 모두";
    presets: "Common choices", "자주 쓰는 선택";
    stages: "Stage of the plan", "계획의 단계";
    stage_first: "epochs {from}–{last}", "{from}–{last} 에폭";
    stage_one: "epoch {from}", "{from} 에폭";
    stage_last: "from epoch {from}", "{from} 에폭부터";
    problem: "Character {column}: found {found}, expected {expected}.",
        "{column}번째 글자: 필요한 것은 {expected}, 쓰인 것은 {found}.";
    problem_anywhere: "Found {found}, expected {expected}.", "필요한 것은 {expected}, 쓰인 것은 {found}.";
    shown_instead: "The picture still shows {plan}.", "그림은 아직 {plan} 상태입니다.";

    // The picture.
    picture: "The network and its frost line", "네트워크와 동결선";
    modules: "Modules; arrow keys go from one to the next, Enter freezes or thaws",
        "모듈. 화살표 키로 옮겨 다니고 Enter로 동결하거나 풉니다";
    frost_line: "Frost line", "동결선";
    line_help: "Drag the line, or focus it and press arrow keys, Home, End or a number. A click on a module freezes or thaws it alone.",
        "선을 끌거나, 선에 초점을 두고 화살표 키, Home, End, 숫자 키를 누르세요. 모듈을 누르면 그 모듈만 동결하거나 풉니다.";
    image: "picture", "사진";
    frozen: "frozen", "동결";
    trains: "learns", "학습";
    partly: "partly frozen", "일부 동결";
    // These begin with what the block shows, so that a voice can call it by that.
    module: "{index} {kind} {shape}, {parameters} parameters, {state}",
        "{index} {kind} {shape}, 파라미터 {parameters}개, {state}";
    module_without: "{index} {kind} {shape}, no parameters, {state}",
        "{index} {kind} {shape}, 파라미터 없음, {state}";
    without_parameters: "Module {index} ({kind}) has nothing to learn: it goes with what it reads.",
        "{index}번 모듈({kind})에는 학습할 것이 없어서, 읽어 오는 모듈을 따라갑니다.";
    one_must_learn: "Module {index} is the only one that still learns: something has to.",
        "{index}번 모듈까지 동결하면 학습할 것이 남지 않습니다.";
    below_is: "below: channels and size of the output", "아래: 출력의 채널 수와 크기";
    height_is: "height: parameters, on a log scale", "높이: 파라미터 수(로그)";
    width_is: "width: share of the work", "너비: 연산량의 비율";
    length_is: "length: parameters, on a log scale", "길이: 파라미터 수(로그)";
    thickness_is: "thickness: share of the work", "두께: 연산량의 비율";
    all_frozen_train: "Modules {frozen} are frozen, {trains} learn.",
        "{frozen}번 모듈은 동결하고 {trains}번 모듈은 학습합니다.";
    frozen_one_trains: "Modules {frozen} are frozen, {trains} learns.",
        "{frozen}번 모듈은 동결하고 {trains}번 모듈만 학습합니다.";
    one_frozen_train: "Module {frozen} is frozen, {trains} learn.",
        "{frozen}번 모듈만 동결하고 {trains}번 모듈은 학습합니다.";
    nothing_frozen: "Nothing is frozen, {trains} learn.",
        "동결한 모듈이 없고 {trains}번 모듈이 모두 학습합니다.";
    and_partly: "Of {partly}, some parameters are frozen.", "{partly}번 모듈은 파라미터 일부만 동결합니다.";

    // Figures.
    figures: "What that means for a training step", "그래서 학습 한 스텝이 어떻게 달라지나";
    parameters: "Parameters", "파라미터";
    frozen_parameters: "frozen", "동결";
    trainable_parameters: "learn", "학습";
    share_frozen: "{percent} frozen", "{percent} 동결";
    work: "Work per step", "스텝당 연산량";
    work_against: "instead of {full}: {ratio}× less", "전체 학습({full})의 {ratio}분의 1";
    work_full: "a full step: nothing is saved yet", "전체 학습 그대로: 아직 줄어든 것이 없음";
    memory: "Kept for the backward pass", "역전파를 위해 남기는 값";
    memory_against: "instead of {full}", "전체 학습은 {full}";
    memory_full: "everything a full step keeps", "전체 학습이 남기는 값 모두";
    crossing: "Crosses the cut", "경계를 넘는 특징";
    each_picture: "for each picture", "사진 한 장마다";
    image_crosses: "the pictures themselves: nothing is cut off", "사진 자체: 잘라 낸 것이 없음";
    cached: "With cached features", "특징을 저장해 두면";
    cached_against: "per step: {ratio}× less than a full one", "스텝당, 전체 학습의 {ratio}분의 1";
    cached_none: "there is nothing to cache yet", "아직 저장해 둘 특징이 없음";
    counted: "Counted, not timed: FLOPs of the convolutions for {batch} pictures of {side}×{side} px, activations as 32-bit floats.",
        "시간을 잰 값이 아니라 셈한 값입니다. {side}×{side}px 사진 {batch}장의 합성곱 FLOPs이고, 활성값은 32비트 실수로 셉니다.";

    // Explanations.
    explanations: "Why", "왜 그럴까";
    cut_title: "The cut", "경계(cut)";
    cut_some: "Modules {prefix} turn the same picture into the same numbers every time, so they need no backward pass and nothing of them is kept in memory. Only the outputs of {crossing} cross over to what learns: {bytes} per picture. Stored once, they spare the frozen part from then on, and a step does {ratio}× less work than a full one.",
        "{prefix}번 모듈은 같은 사진을 언제나 같은 값으로 바꿉니다. 그래서 역전파가 필요 없고 메모리에 남길 것도 없습니다. 학습하는 쪽으로 넘어가는 것은 {crossing}번의 출력뿐이고, 사진 한 장에 {bytes}입니다. 한 번 저장해 두면 그 뒤로는 동결한 부분을 계산하지 않아도 되어, 한 스텝의 연산이 전체 학습의 {ratio}분의 1로 줄어듭니다.";
    cut_none: "Nothing is cut off before module 0, so every step runs through the whole network, forwards and backwards. Move the line further to see what that saves.",
        "0번 모듈 앞에서는 잘라 낼 것이 없어, 스텝마다 네트워크 전체를 앞으로도 뒤로도 계산합니다. 선을 뒤로 옮기면 무엇이 줄어드는지 보입니다.";
    cut_behind: "Module 0 learns, so there is no cut: gradients still have to pass back through the frozen modules. Only the gradients of their weights are saved, {ratio}× less work in all.",
        "0번 모듈이 학습하므로 경계가 없습니다. 기울기는 동결한 모듈을 지나 앞쪽까지 전해져야 하고, 줄어드는 것은 그 모듈의 가중치 기울기뿐입니다. 전체 연산은 {ratio}분의 1이 됩니다.";
    when_title: "When to freeze how much", "얼마나 동결할까";
    when_nothing: "With nothing frozen all {trainable} parameters may change. That is right for many pictures, or ones unlike anything the network has seen. With few it costs the most time and memory, and the network may forget what it knew.",
        "동결하지 않으면 파라미터 {trainable}개가 모두 바뀔 수 있습니다. 사진이 많거나 네트워크가 본 적 없는 종류일 때 알맞습니다. 사진이 적으면 시간과 메모리가 가장 많이 들고, 이미 알던 것을 잊기도 합니다.";
    when_early: "The first modules see edges, colours and textures, which are much the same in all pictures. Freezing them gives up little: {trainable} parameters still learn.",
        "앞쪽 모듈은 윤곽, 색, 질감을 봅니다. 어느 사진에서나 비슷한 것들이라 동결해도 잃을 것이 적습니다. 파라미터 {trainable}개는 계속 학습합니다.";
    when_backbone: "Freezing the backbone is the usual start of transfer learning: what it sees in pictures stays, and {trainable} parameters learn to find your objects in it. Good for some dozens to some thousands of pictures.",
        "백본(backbone)을 동결하는 것은 전이 학습(transfer learning)의 흔한 출발점입니다. 사진을 보는 눈은 그대로 두고, 파라미터 {trainable}개가 그 안에서 새 물체를 찾는 법을 배웁니다. 사진 수십 장에서 수천 장에 알맞습니다.";
    when_neck: "Part of the neck is fixed too, so the network combines what it sees much as before. {trainable} parameters learn. Good when your objects resemble those it was trained on.",
        "넥(neck)의 일부도 고정되어, 본 것을 엮는 방식이 예전과 비슷합니다. 파라미터 {trainable}개가 학습합니다. 새 물체가 처음 학습에 쓴 물체와 닮았을 때 알맞습니다.";
    when_detect: "Only Detect learns: {trainable} parameters, {percent} of the network. The quickest try for a few dozen pictures. What the frozen part does not see, Detect cannot learn, so thaw the neck when accuracy stops rising.",
        "Detect만 학습합니다. 파라미터 {trainable}개로 네트워크의 {percent}입니다. 사진이 수십 장일 때 가장 빠르게 해 볼 수 있습니다. 동결한 부분이 보지 못하는 것은 Detect도 배울 수 없으니, 정확도가 더 오르지 않으면 넥의 동결을 풀어 보세요.";
    when_other: "{trainable} parameters learn, {percent} of the network. Frozen modules save the most when they come first: then they can be cut off.",
        "파라미터 {trainable}개, 네트워크의 {percent}가 학습합니다. 동결한 모듈은 맨 앞에 이어져 있을 때 가장 많이 아껴 줍니다. 그래야 잘라 낼 수 있습니다.";
    norm_title: "Why BatchNorm matters", "BatchNorm이 중요한 이유";
    norm_some: "Besides its weights, a BatchNorm keeps a running mean and variance of what it has seen. In many programs these go on moving in frozen layers: frozen is not quite frozen. Here {fixed} of the {all} BatchNorms keep theirs, bit for bit, so what lies before the cut stays one fixed function.",
        "BatchNorm은 가중치 말고도 지금까지 본 값의 평균과 분산을 지닙니다. 많은 프로그램에서는 동결한 레이어에서도 이 통계가 계속 움직여서, 동결이 진짜 동결이 아닙니다. 여기서는 BatchNorm {all}개 가운데 {fixed}개의 통계가 비트 하나까지 그대로라서, 경계 앞쪽이 언제나 같은 함수로 남습니다.";
    norm_all: "Besides its weights, a BatchNorm keeps a running mean and variance of what it has seen. In many programs these go on moving in frozen layers: frozen is not quite frozen. Here all {all} BatchNorms keep theirs, bit for bit, so what lies before the cut stays one fixed function.",
        "BatchNorm은 가중치 말고도 지금까지 본 값의 평균과 분산을 지닙니다. 많은 프로그램에서는 동결한 레이어에서도 이 통계가 계속 움직여서, 동결이 진짜 동결이 아닙니다. 여기서는 BatchNorm {all}개의 통계가 모두 비트 하나까지 그대로라서, 경계 앞쪽이 언제나 같은 함수로 남습니다.";
    norm_none: "Besides its weights, a BatchNorm keeps a running mean and variance of what it has seen. All {all} of them follow your pictures now. Freeze a module, and its statistics stay too, bit for bit.",
        "BatchNorm은 가중치 말고도 지금까지 본 값의 평균과 분산을 지닙니다. 지금은 {all}개 모두 새 사진을 따라 움직입니다. 모듈을 동결하면 그 통계도 비트 하나까지 그대로 남습니다.";

    // The command.
    command: "The same in the terminal", "터미널에서 똑같이 하려면";
    command_note: "The number of classes comes from the data set.", "클래스 수는 데이터셋에서 읽습니다.";
    copy: "Copy", "복사";
    copied: "Copied", "복사함";
    copy_failed: "Copying was not allowed: select the line and copy it.",
        "복사가 허용되지 않았습니다. 명령을 선택해서 직접 복사하세요.";

    // The list of parameters.
    list: "All parameters by name", "파라미터 목록";
    search: "Search names", "이름 찾기";
    search_hint: "part of a name, or a pattern such as *.bn.*", "이름의 일부, 또는 *.bn.* 같은 패턴";
    found: "{count} of {all} tensors", "텐서 {all}개 중 {count}개";
    found_none: "No name contains this. Names look like {example}.",
        "이런 이름은 없습니다. 이름은 {example}처럼 생겼습니다.";
    tensors: "{count} tensors, {parameters} parameters", "텐서 {count}개, 파라미터 {parameters}개";
    open_all: "Open all", "모두 펼치기";
    close_all: "Close all", "모두 접기";

    // Drawing boxes.
    picture_none: "No picture chosen", "고른 사진 없음";
    stage: "The picture and its boxes", "사진과 박스";
    stage_help: "Drag a box, or click two corners. Keys: N adds one, Tab goes to the next, arrows move it, Shift and arrows resize it, Control makes steps of one pixel; 1–9 choose its class, Delete removes it, Page Up and Page Down change the picture, Control Z undoes.",
        "드래그하거나 두 모서리를 눌러 박스를 그리세요. 키: N 추가, Tab 다음 박스, 화살표 이동, Shift와 화살표 크기, Control과 함께 누르면 1픽셀씩, 1–9 클래스, Delete 삭제, Page Up과 Page Down 다른 사진, Control Z 실행 취소.";
    box_at: "{class}, {width} by {height} pixels, from {left}, {top}", "{class}, {width}×{height}픽셀, 위치 {left}, {top}";
    cannot_show: "This browser cannot show this kind of picture. The engine can read it.",
        "이 브라우저는 이 형식의 사진을 보여 주지 못합니다. 엔진은 읽을 수 있습니다.";
    classes_title: "Classes", "클래스";
    class_new: "New class", "새 클래스";
    class_add: "Add", "추가";
    class_name: "Name of the class {name}", "클래스 {name}의 이름";
    class_boxes: "{train} to learn, {val} to check", "학습 {train}개, 검증 {val}개";
    class_remove: "Remove the class {name} and its boxes", "클래스 {name}과 그 박스 지우기";
    class_empty: "Write a name.", "이름을 쓰세요.";
    class_long: "Take a name of at most 60 letters.", "60자 이하로 쓰세요.";
    class_taken: "There is a class of this name.", "이 이름의 클래스가 이미 있습니다.";

    // Pictures.
    data_lead: "Show it what to find: pictures with a box around each thing. They stay in this browser until you delete them.",
        "무엇을 찾을지 보여 주세요. 찾을 것마다 박스를 두른 사진이면 됩니다. 사진은 직접 지울 때까지 이 브라우저에만 남습니다.";
    data_empty: "No pictures yet. Take the shipped ones, 64 to learn from and 32 to check with, or your own: some ten per class are a beginning.",
        "아직 사진이 없습니다. 함께 제공되는 사진(학습용 64장, 검증용 32장)을 쓰거나 직접 찍은 사진을 넣으세요. 클래스마다 열 장쯤이면 시작할 수 있습니다.";
    sources: "Where pictures come from", "사진 가져오기";
    source_shipped: "Shipped pictures", "제공 사진";
    source_files: "Files", "파일";
    source_folder: "Folder", "폴더";
    source_webcam: "Webcam", "웹캠";
    sources_hint: "Files and folders can be dropped here, pictures pasted. A YOLO zip or folder brings its boxes and classes.",
        "파일과 폴더는 여기에 끌어다 놓고, 사진은 붙여 넣어도 됩니다. YOLO zip이나 폴더는 박스와 클래스까지 함께 들어옵니다.";
    webcam_one: "Take one", "한 장 찍기";
    webcam_burst: "Take five", "다섯 장 찍기";
    reading: "Reading {count} files …", "파일 {count}개를 읽는 중 …";
    taken_in: "{count} pictures came in.", "사진 {count}장이 들어왔습니다.";
    taken_in_but: "{count} pictures came in; {out} problems:", "사진 {count}장이 들어왔고, 문제가 {out}개 있습니다.";
    undo: "Undo", "실행 취소";
    redo: "Redo", "다시 실행";
    divide: "Divide anew", "다시 나누기";
    export_data: "Save as YOLO zip", "YOLO zip으로 저장";
    delete_all: "Delete all", "모두 지우기";
    picture_use: "What this picture is for", "이 사진의 쓰임";
    use_train: "to learn", "학습";
    use_val: "to check", "검증";
    picture_remove: "Take this picture out", "이 사진 빼기";
    count_pictures: "{train} pictures to learn from, {val} to check with. Those to check with are never learnt from: only so does a score say what happens with new pictures.",
        "학습용 {train}장, 검증용 {val}장. 검증용 사진은 학습에 쓰지 않습니다. 그래야 점수가 새 사진에서의 실력을 말해 줍니다.";
    count_without_val: "{train} pictures to learn from, {val} to check with. Without pictures to check with, nobody knows what it learnt: divide them anew.",
        "학습용 {train}장, 검증용 {val}장. 검증용 사진이 없으면 무엇을 배웠는지 알 수 없습니다. 사진을 다시 나누세요.";
    grid: "All pictures", "모든 사진";
    thumb: "{count} boxes, {use}", "박스 {count}개, {use}";

    // Looking at a picture.
    source: "The picture", "사진";
    source_file: "Choose a picture", "사진 고르기";
    source_camera: "Webcam", "웹캠";
    source_set: "From the pictures to check", "검증 사진에서";
    source_set_empty: "Your set has no pictures to check yet:", "아직 검증할 사진이 없습니다:";
    picked: "{name}, {width} by {height} pixels.", "{name}, {width}×{height}픽셀.";
    picked_none: "Choose a picture, drop it here, paste it, or use the webcam.",
        "사진을 고르거나 여기에 놓거나 붙여 넣으세요. 웹캠을 써도 됩니다.";
    camera_on: "The webcam is on. Its pictures stay in this browser.",
        "웹캠이 켜져 있습니다. 영상은 이 브라우저를 벗어나지 않습니다.";
    before: "Before", "미세 조정 전";
    after: "After", "미세 조정 후";
    after_is: "The best weights of your run", "학습에서 가장 좋았던 가중치";
    after_none: "There is nothing after yet: it comes with the first finished epoch.",
        "아직 보여 줄 것이 없습니다. 첫 에폭을 마치면 나타납니다.";
    after_train: "Go to training", "학습하러 가기";
    picture_looked_at: "The picture that is looked at", "살펴보는 사진";
    imgsz_choice: "Input of the network", "네트워크 입력";

    // Detecting.
    detect_lead: "What the network finds on a picture, before it learnt yours and after.",
        "네트워크가 사진에서 무엇을 찾는지, 미세 조정 전과 후를 나란히 봅니다.";
    conf: "Confidence", "신뢰도";
    iou: "Overlap (IoU)", "겹침(IoU)";
    detected: "Boxes: {count}. {ms} ms.", "박스 {count}개. {ms}ms.";
    boxes_found: "Boxes that were found", "찾은 박스";
    box_class: "Class", "클래스";
    box_place: "Left, top (px)", "왼쪽, 위(px)";
    box_size: "Size (px)", "크기(px)";
    detect_why: "Each box has a confidence; those below the first slider are not shown. Where two boxes of one class overlap by more than the second slider says, only the surer one stays. Before and after name different classes: Detect, the last module, is made anew for yours.",
        "박스마다 신뢰도가 있고, 첫 번째 슬라이더보다 낮은 박스는 보여 주지 않습니다. 같은 클래스의 두 박스가 두 번째 슬라이더보다 많이 겹치면 더 확실한 것만 남깁니다. 전과 후는 클래스가 서로 다릅니다. 마지막 모듈인 Detect를 새 클래스에 맞게 다시 만들기 때문입니다.";

    // Looking into a module.
    xray_lead: "What a module makes of a picture: one small picture for each of its channels, dark where it answers least, white where it answers most.",
        "모듈이 사진을 어떻게 바꾸는지 봅니다. 채널마다 작은 그림 하나이고, 반응이 가장 약한 곳은 어둡게, 가장 강한 곳은 하얗게 보입니다.";
    xray_modules: "Modules; arrow keys go from one to the next", "모듈. 화살표 키로 옮겨 다닙니다";
    xray_module: "Module {index}, {kind}", "모듈 {index}, {kind}";
    xray_shape: "Module {index}, {kind}: {planes} channels of {width} by {height}.",
        "{index}번 모듈, {kind}: {width}×{height} 크기의 채널 {planes}개.";
    xray_plane: "Channel {index}", "채널 {index}";
    xray_planes: "Channels; arrow keys go from one to the next, the chosen one lies over the picture",
        "채널. 화살표 키로 옮겨 다니며, 고른 채널은 사진 위에 겹쳐 보입니다";
    xray_over: "Channel {index} over the picture", "사진 위에 겹친 채널 {index}";
    xray_all: "Show all {count}", "{count}개 모두 보기";
    xray_fewer: "Show fewer", "적게 보기";
    xray_same: "Before and after are identical, pixel for pixel: up to here nothing has changed.",
        "전과 후가 픽셀 하나까지 같습니다. 여기까지는 아무것도 바뀌지 않았습니다.";
    xray_differ: "{count} of {all} channels look different after fine-tuning.",
        "채널 {all}개 가운데 {count}개가 미세 조정 뒤에 다르게 보입니다.";
    xray_early: "The first modules answer to edges, colours and fine texture, anywhere in the picture. Such things are the same in most pictures, so freezing them costs little.",
        "앞쪽 모듈은 윤곽, 색, 고운 질감에 반응합니다. 사진 어디에서나 그렇고 어느 사진에서나 비슷해서, 동결해도 잃을 것이 적습니다.";
    xray_middle: "In the middle of the backbone edges have become corners, stripes and parts of things. The maps are coarser, the channels more.",
        "백본 가운데쯤에서는 윤곽이 모서리, 줄무늬, 물체의 일부가 됩니다. 그림은 거칠어지고 채널은 많아집니다.";
    xray_late: "At the end of the backbone a channel answers to whole things, coarsely: where something is matters more than what its edge looks like.",
        "백본 끝의 채널은 물체 전체에 거칠게 반응합니다. 윤곽의 생김새보다 무엇이 어디에 있는지가 중요합니다.";
    xray_neck: "The neck joins coarse knowledge of what is there with fine maps of where it is, for Detect to read at three sizes.",
        "넥은 무엇이 있는지에 대한 거친 정보와 어디에 있는지에 대한 고운 그림을 엮어, Detect가 세 가지 크기로 읽게 합니다.";
    xray_frozen: "This module is frozen in your plan, and so is everything before it: after fine-tuning it looks exactly as before.",
        "지금 계획에서는 이 모듈과 그 앞이 모두 동결됩니다. 그래서 미세 조정 뒤에도 똑같이 보입니다.";
    xray_learns: "In your plan this module, or one before it, learns: after fine-tuning it may look different.",
        "지금 계획에서는 이 모듈이나 그 앞의 모듈이 학습합니다. 그래서 미세 조정 뒤에는 다르게 보일 수 있습니다.";

    // Training: what a run begins with.
    train_lead: "Choose what may learn, press the button, and watch it. The pictures and the network stay in this browser.",
        "무엇이 학습할지 고르고 버튼을 누르면 됩니다. 사진도 네트워크도 이 브라우저를 떠나지 않습니다.";
    start_weights: "Weights to start from", "시작 가중치";
    weights_choose: "Own file (.pt, .safetensors, .onnx)", "내 파일 선택(.pt, .safetensors, .onnx)";
    weights_drop: "or drop it here", "또는 여기에 끌어다 놓으세요";
    weights_shipped: "Take the shipped ones", "기본 가중치 쓰기";
    weights_said: "YOLOv5{size}, {classes} classes, {tensors} tensors", "YOLOv5{size}, 클래스 {classes}개, 텐서 {tensors}개";
    weights_said_other: "{tensors} tensors of a network of one's own, {classes} classes", "직접 만든 네트워크의 텐서 {tensors}개, 클래스 {classes}개";
    weights_reading: "Being read …", "읽는 중…";
    pictures_to_learn: "Pictures to learn from", "학습할 사진";
    pictures_none: "No pictures yet: take the shipped ones, or add your own.", "아직 사진이 없습니다. 기본 사진을 쓰거나 내 사진을 추가하세요.";
    pictures_take_shipped: "Take the shipped pictures", "기본 사진 쓰기";
    pictures_add: "Add your own", "내 사진 추가";
    pictures_said: "{train} to learn from, {val} to validate on, {boxes} boxes, {classes} classes",
        "학습용 {train}장, 검증용 {val}장, 박스 {boxes}개, 클래스 {classes}개";
    pictures_loading: "Being fetched …", "가져오는 중…";
    epochs: "Epochs", "에폭";
    learning_rate: "Learning rate", "학습률";
    learning_rate_own: "auto", "자동";
    learning_rate_wrong: "Write a number above 0, for example 0.01, or leave it empty.", "0보다 큰 수를 쓰거나(예: 0.01) 비워 두세요.";
    seed: "Seed", "시드";

    // Training: the button and what goes on.
    train_start: "Train", "학습 시작";
    train_again: "Train again", "다시 학습";
    train_pause: "Pause", "잠시 멈춤";
    train_go: "Go on", "계속";
    train_stop: "Stop", "끝내기";
    train_stopping: "Ends after this step …", "이번 스텝까지 하고 끝냅니다…";
    train_preparing: "Weights and pictures go to the engine …", "엔진에 가중치와 사진을 넘기는 중…";
    train_paused: "Paused after epoch {epoch} of {epochs}.", "{epochs} 에폭 중 {epoch} 에폭을 마치고 멈춰 있습니다.";
    train_under_way: "Epoch {epoch} of {epochs}.", "{epochs} 에폭 중 {epoch}번째 에폭을 학습하고 있습니다.";
    train_ended: "Done: {epochs} epochs in {time}.", "끝났습니다. {epochs} 에폭, {time} 걸렸습니다.";
    train_stopped: "Stopped after {epochs} epochs and {time}; the best weights so far are kept.",
        "{epochs} 에폭, {time} 만에 끝냈습니다. 그때까지 가장 좋은 가중치를 남겨 두었습니다.";
    train_failed: "The run has ended.", "학습이 중단되었습니다.";
    train_elsewhere: "A race is under way; it ends first.", "비교가 진행 중입니다. 먼저 끝나야 합니다.";
    race_elsewhere: "A run is under way; it ends first.", "학습이 진행 중입니다. 먼저 끝나야 합니다.";
    train_other_plan: "This run freezes {freeze}.", "지금 학습은 {freeze} 계획으로 동결하고 있습니다.";
    features_made: "Features at the cut: {done} of {total} pictures", "경계의 특징: 사진 {total}장 중 {done}장";
    forecast: "About {time}, {bytes}, {flops} in {steps} steps.", "약 {time}, {bytes}, {steps} 스텝에 {flops}.";
    forecast_untimed: "{bytes}, {flops} in {steps} steps. How long that takes is known after the first steps.",
        "{bytes}, {steps} 스텝에 {flops}. 걸리는 시간은 처음 몇 스텝을 재 보면 알 수 있습니다.";
    forecast_memory: "Memory by count: {activations} of activations, {features} of kept features. {optimizer}, learning rate {rate}.",
        "셈한 메모리: 활성값 {activations}, 저장한 특징 {features}. {optimizer}, 학습률 {rate}.";
    forecast_waits: "What a run takes is said here once pictures are chosen.", "사진을 고르면 학습에 드는 시간과 메모리를 여기에 보여 줍니다.";
    seconds_short: "{seconds} s", "{seconds}초";
    minutes_short: "{minutes} min {seconds} s", "{minutes}분 {seconds}초";
    hours_short: "{hours} h {minutes} min", "{hours}시간 {minutes}분";
    time_left: "Time left", "남은 시간";
    pace: "Steps per second", "초당 스텝";
    engine_memory: "Memory of the engine", "엔진 메모리";
    map50: "mAP50", "mAP50";
    map_strict: "mAP50-95", "mAP50-95";
    loss: "Loss", "손실";
    loss_train: "training", "학습";
    loss_val: "validation", "검증";
    losses_by_epoch: "Loss by epoch", "에폭별 손실";
    accuracy_by_epoch: "mAP on the pictures of validation, by epoch", "검증 사진에서 잰 에폭별 mAP";
    chart_empty: "{title}. Nothing yet.", "{title}. 아직 값이 없습니다.";
    chart_line: "{name}: from {first} to {last}", "{name}: {first}에서 {last}까지";
    epoch: "Epoch", "에폭";
    epoch_table: "Epoch by epoch", "에폭별 표";
    module_table: "Module by module: gradients and statistics", "모듈별 표: 기울기와 통계";
    module_column: "Module", "모듈";
    gradient_column: "Gradient norm", "기울기 크기";
    drift_column: "BatchNorm drift", "BatchNorm 변화";
    module_note: "The norm of the gradient as last told, and how far running means and variances have moved since the start. Frozen modules have no gradient, and their statistics stay where they were.",
        "마지막으로 받은 기울기의 크기와, 처음보다 이동 평균과 분산이 얼마나 움직였는지입니다. 동결한 모듈에는 기울기가 없고 통계도 움직이지 않습니다.";
    gpu_lost: "The GPU went away ({why}). The run goes on with {now} from epoch {epoch}.",
        "GPU를 쓸 수 없게 되었습니다({why}). {now}에서 {epoch} 에폭부터 이어서 학습합니다.";
    kept_run: "A run was not finished: freeze {freeze}, {done} of {epochs} epochs.",
        "끝나지 않은 학습이 있습니다. 동결 {freeze}, {epochs} 에폭 중 {done} 에폭까지 했습니다.";
    kept_go_on: "Go on from epoch {epoch}", "{epoch} 에폭부터 이어서 학습";
    kept_discard: "Discard it", "버리기";

    // Training: what came of it.
    gained: "What was gained", "무엇을 얻었나";
    gained_some: "The best epoch is {epoch}: mAP50 {map50}, mAP50-95 {map}. After the first epoch mAP50 was {first}.",
        "가장 좋은 에폭은 {epoch}번째로, mAP50 {map50}, mAP50-95 {map}입니다. 첫 에폭 뒤의 mAP50은 {first}였습니다.";
    gained_one: "One epoch was done: mAP50 {map50}, mAP50-95 {map}.", "한 에폭을 마쳤습니다. mAP50 {map50}, mAP50-95 {map}입니다.";
    gained_nothing: "No epoch was finished, so nothing was gained yet.", "마친 에폭이 없어 아직 얻은 것이 없습니다.";
    receipt: "Freeze receipt", "동결 확인서";
    receipt_none: "Nothing was frozen, so there is nothing to compare.", "동결한 것이 없어 비교할 것도 없습니다.";
    receipt_holds: "{parameters} frozen tensors and {statistics} statistics of BatchNorms: the same before and after, bit for bit.",
        "동결한 텐서 {parameters}개와 BatchNorm 통계 {statistics}개: 학습 전과 후가 비트 하나까지 같습니다.";
    receipt_broken: "{parameters} frozen tensors and {statistics} statistics of BatchNorms: NOT the same before and after. Please report this.",
        "동결한 텐서 {parameters}개와 BatchNorm 통계 {statistics}개: 학습 전과 후가 다릅니다! 이 문제를 알려 주세요.";
    receipt_from: "From epoch {epoch}:", "{epoch} 에폭부터:";
    receipt_column: "SHA-256", "SHA-256";
    receipt_parameters: "Parameters", "파라미터";
    receipt_statistics: "Statistics", "통계";
    next_title: "What to try next", "다음에 해 볼 것";
    next_more_epochs: "mAP50 was still rising: try {epochs} epochs.", "mAP50이 아직 오르고 있었습니다. {epochs} 에폭으로 해 보세요.";
    next_thaw_neck: "mAP50 stopped rising. Thaw the neck? Freeze {freeze} lets it learn too.",
        "mAP50이 더 오르지 않습니다. 넥의 동결을 풀어 볼까요? {freeze}으로 동결하면 넥도 학습합니다.";
    next_thaw_backbone: "mAP50 stopped rising. Thaw the backbone? Freeze {freeze} lets everything learn; that takes longer.",
        "mAP50이 더 오르지 않습니다. 백본의 동결을 풀어 볼까요? {freeze}이면 모두 학습하고, 시간은 더 걸립니다.";
    next_more_pictures: "Training got better and validation did not: more pictures will help more than more epochs.",
        "학습 손실은 줄었지만 검증은 나아지지 않았습니다. 에폭보다 사진을 늘리는 것이 낫습니다.";
    next_lower_rate: "The loss was no number any more: try a learning rate of {rate}.", "손실이 숫자가 아니게 되었습니다. 학습률을 {rate}로 낮춰 보세요.";
    next_try_it: "It finds most of what it should: try it on pictures that it has never seen.", "찾아야 할 것을 대부분 찾습니다. 처음 보는 사진으로 시험해 보세요.";
    next_set: "Set this", "이렇게 설정";
    go_detect: "Try it on pictures", "사진으로 시험하기";
    go_xray: "Look inside", "안을 들여다보기";
    export: "Download best.safetensors", "best.safetensors 내려받기";
    export_onnx: "Download best.onnx", "best.onnx 내려받기";
    commands: "The same in the terminal", "터미널에서 똑같이 하려면";
    command_train: "This training", "이 학습";
    command_val: "Validating what came of it", "결과 검증";

    // The race.
    race_lead: "The same pictures and the same seed, three times: all but Detect frozen, the backbone frozen, nothing frozen.",
        "같은 사진, 같은 시드로 세 번 학습합니다. Detect만 빼고 모두 동결, 백본만 동결, 동결 없음.";
    race_start: "Start the race", "비교 시작";
    race_again: "Race again", "다시 비교";
    race_under_way: "Run {run} of {runs}, freeze {freeze}: epoch {epoch} of {epochs}.",
        "{runs}번 중 {run}번째, 동결 {freeze}: {epochs} 에폭 중 {epoch}번째 에폭.";
    race_ended: "All three runs are done.", "세 번 모두 끝났습니다.";
    race_stopped: "Stopped: what is done stays.", "끝냈습니다. 마친 것은 남아 있습니다.";
    race_line: "freeze {freeze}", "동결 {freeze}";
    race_shows: "The chart shows", "그래프에 표시";
    race_table: "Results", "결과";
    race_best: "best", "최고";
    race_not_yet: "not yet", "아직";
    race_plan: "Frozen", "동결";
    race_seconds: "Time", "시간";
    race_bytes: "Memory, counted", "메모리(셈한 값)";
    race_note: "mAP of the best epoch; computing time on this machine, pauses not counted; memory: a step's activations and the features that are kept.",
        "mAP는 가장 좋은 에폭의 값입니다. 시간은 이 컴퓨터에서 계산한 시간이고 멈춘 동안은 뺐습니다. 메모리는 한 스텝의 활성값과 저장한 특징을 셈한 값입니다.";
}
