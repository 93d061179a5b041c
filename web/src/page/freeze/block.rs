//! The modules: cold or warm, and a click away from the other.

use crate::page::lean::{derived, part};
use frostline::freeze::ModuleState;
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use crate::figures::grouped;
use crate::page::browser;
use crate::page::icon;
use crate::page::state::State;
use crate::picture::{Flow, Picture, Rect};
use crate::words::fill;

/// All modules; one of them takes the focus, arrow keys go on from there.
#[component]
pub fn Blocks(
    state: State,
    picture: Memo<Picture>,
    note: RwSignal<Option<usize>>,
) -> impl IntoView {
    let count = state.network.with_untracked(|network| network.rows().len());
    let focused = RwSignal::new(0_usize);
    let blocks = (0..count).map(|module| {
        view! { <BlockView state picture note focused module /> }
    });
    view! {
        <g class="blocks" role="group" aria-label=state.word(|words| words.modules)>
            {blocks.collect_view()}
        </g>
    }
}

fn element_id(module: usize) -> String {
    format!("module-{module}")
}

#[component]
fn BlockView(
    state: State,
    picture: Memo<Picture>,
    note: RwSignal<Option<usize>>,
    focused: RwSignal<usize>,
    module: usize,
) -> impl IntoView {
    let flow = picture.with_untracked(|picture| picture.flow);
    let last = picture.with_untracked(|picture| picture.blocks.len().saturating_sub(1));
    let rect = Memo::new(move |_| {
        let picture = picture.read();
        let block = picture.blocks.get(module);
        block.map_or(ZERO, |block| block.rect)
    });
    let slot = Memo::new(move |_| {
        let picture = picture.read();
        picture.blocks.get(module).map_or(ZERO, |block| block.slot)
    });
    let frozen = Memo::new(move |_| {
        let scene = state.scene.read();
        scene
            .stage
            .states
            .get(module)
            .copied()
            .unwrap_or(ModuleState::Trains)
    });
    let learns = Memo::new(move |_| {
        let network = state.network.read();
        network
            .rows()
            .get(module)
            .is_some_and(|row| row.kind.has_parameters())
    });
    let kind = Memo::new(move |_| {
        let network = state.network.read();
        network.rows().get(module).map_or("", |row| row.kind.name())
    });
    let label = move || {
        let words = state.words();
        let network = state.network.read();
        let parameters = network.modules.get(module).map_or(0, |m| m.parameters);
        let frozen = match frozen.get() {
            ModuleState::Frozen => words.frozen,
            ModuleState::Trains => words.trains,
            ModuleState::Partly => words.partly,
        };
        fill(
            if learns.get() {
                words.module
            } else {
                words.module_without
            },
            &[
                ("index", &module.to_string()),
                ("kind", kind.get()),
                ("shape", &network.output(module)),
                ("parameters", &grouped(parameters)),
                ("state", frozen),
            ],
        )
    };
    let class = move || {
        let class = match frozen.get() {
            ModuleState::Frozen => "block cold",
            ModuleState::Trains => "block warm",
            ModuleState::Partly => "block mixed",
        };
        let bare = if learns.get() { "" } else { " bare" };
        format!("{class}{bare}")
    };
    let toggle = move || {
        note.set(None);
        if !state.toggle(module) {
            note.set(Some(module));
        }
    };
    let go_to = move |to: usize| {
        focused.set(to);
        browser::focus(&element_id(to));
    };
    let on_key = move |event: KeyboardEvent| {
        match event.key().as_str() {
            "Enter" | " " => toggle(),
            "ArrowRight" | "ArrowDown" => go_to((module + 1).min(last)),
            "ArrowLeft" | "ArrowUp" => go_to(module.saturating_sub(1)),
            "Home" => go_to(0),
            "End" => go_to(last),
            _ => return,
        }
        event.prevent_default();
    };
    let body = move || {
        let slot = slot.get();
        let (w, h) = (slot.width, slot.height);
        match frozen.get() {
            ModuleState::Frozen => crystal(w, h),
            _ => pebble(w, h),
        }
    };
    let facets = move || {
        let slot = slot.get();
        (frozen.get() == ModuleState::Frozen).then(|| facets(slot.width, slot.height))
    };
    // Down, what is filled of a block says how many parameters it has; one without any stays empty.
    let bar = move || {
        let rect = rect.get();
        (flow == Flow::Down && learns.get()).then(|| match frozen.get() {
            ModuleState::Frozen => crystal_start(rect.width, rect.height),
            _ => pebble_start(rect.width, rect.height),
        })
    };
    let icon_class = move || icon::state_path(frozen.get()).0;
    let icon_path = move || icon::state_path(frozen.get()).1;
    let middle = move || rect.with(|r| (r.width / 2.0, r.height / 2.0));
    let texts = move || match flow {
        Flow::Across => {
            let (x, y) = middle();
            view! {
                <text class="index" x=x y=y + 5.0 text-anchor="middle">{module}</text>
                " "
                <text
                    class="kind"
                    x=x
                    y=y + 19.0
                    text-anchor="middle"
                    textLength=derived(move || squeezed(kind.get(), 2.0 * middle().0))
                    lengthAdjust="spacingAndGlyphs"
                >
                    {kind}
                </text>
            }
            .into_any()
        }
        Flow::Down => {
            let y = middle().1 + 4.5;
            view! {
                <text class="index" x="46" y=y text-anchor="end">{module}</text>
                " "
                <text class="kind" x="56" y=y>{kind}</text>
                " "
                <text class="shape" x=slot.with(|s| s.width) - 8.0 y=y text-anchor="end">
                    {part(move || state.network.read().output(module))}
                </text>
            }
            .into_any()
        }
    };
    let icon_at = move || match flow {
        Flow::Across => {
            let (x, y) = middle();
            format!("translate({x:.1} {:.1})", y - 15.0)
        }
        Flow::Down => format!("translate(17 {:.1})", middle().1),
    };
    view! {
        <g
            id=element_id(module)
            class=class
            role="button"
            tabindex=derived(move || if focused.get() == module { "0" } else { "-1" })
            aria-label=label
            aria-pressed=derived(move || match frozen.get() {
                ModuleState::Frozen => "true",
                ModuleState::Trains => "false",
                ModuleState::Partly => "mixed",
            })
            aria-disabled=derived(move || (!learns.get()).then_some("true"))
            transform=derived(move || rect.with(|r| format!("translate({:.1} {:.1})", r.x, r.y)))
            on:click=move |_| {
                focused.set(module);
                toggle();
            }
            on:keydown=on_key
            on:focus=move |_| focused.set(module)
        >
            <rect
                class="slot"
                width=derived(move || slot.with(|s| s.width))
                height=derived(move || slot.with(|s| s.height))
            />
            {(flow == Flow::Down).then(|| view! { <path class="shell" d=body /> })}
            <path class="bar-of-parameters" d=bar />
            <path class="body" d=body />
            <path class="facets" d=facets />
            <path class=icon_class d=icon_path transform=icon_at />
            {part(texts)}
            <rect
                class="ring"
                x="-3"
                y="-3"
                rx="8"
                width=derived(move || slot.with(|s| s.width + 6.0))
                height=derived(move || slot.with(|s| s.height + 6.0))
            />
        </g>
    }
}

const ZERO: Rect = Rect {
    x: 0.0,
    y: 0.0,
    width: 0.0,
    height: 0.0,
};

/// The length of a word that would not fit into its block; such a word is set narrower.
fn squeezed(word: &str, width: f64) -> Option<f64> {
    /// Width of a letter in the style sheet's size for kinds.
    const LETTER: f64 = 5.4;
    let room = width - 4.0;
    (word.len() as f64 * LETTER > room).then_some(room)
}

/// A rounded block.
fn pebble(w: f64, h: f64) -> String {
    let r = 9.0_f64.min(w / 2.0).min(h / 2.0);
    format!(
        "M{r:.1} 0H{:.1}A{r:.1} {r:.1} 0 0 1 {w:.1} {r:.1}V{:.1}A{r:.1} {r:.1} 0 0 1 {:.1} {h:.1}H{r:.1}A{r:.1} {r:.1} 0 0 1 0 {:.1}V{r:.1}A{r:.1} {r:.1} 0 0 1 {r:.1} 0Z",
        w - r,
        h - r,
        w - r,
        h - r,
    )
}

/// A block with cut corners.
fn crystal(w: f64, h: f64) -> String {
    let c = 7.0_f64.min(w / 3.0).min(h / 3.0);
    format!(
        "M{c:.1} 0H{:.1}L{w:.1} {c:.1}V{:.1}L{:.1} {h:.1}H{c:.1}L0 {:.1}V{c:.1}Z",
        w - c,
        h - c,
        w - c,
        h - c,
    )
}

/// A rounded block that ends straight.
fn pebble_start(w: f64, h: f64) -> String {
    let r = 9.0_f64.min(w / 2.0).min(h / 2.0);
    format!(
        "M{r:.1} 0H{w:.1}V{h:.1}H{r:.1}A{r:.1} {r:.1} 0 0 1 0 {:.1}V{r:.1}A{r:.1} {r:.1} 0 0 1 {r:.1} 0Z",
        h - r,
    )
}

/// A block with cut corners that ends straight.
fn crystal_start(w: f64, h: f64) -> String {
    let c = 7.0_f64.min(w / 3.0).min(h / 3.0);
    format!("M{c:.1} 0H{w:.1}V{h:.1}H{c:.1}L0 {:.1}V{c:.1}Z", h - c)
}

/// The facets that the cut corners leave inside.
fn facets(w: f64, h: f64) -> String {
    let c = 7.0_f64.min(w / 3.0).min(h / 3.0);
    let i = c * 0.62;
    format!(
        "M{c:.1} 0L{i:.1} {i:.1}L0 {c:.1}M{i:.1} {i:.1}H{:.1}L{:.1} 0M{:.1} {i:.1}L{w:.1} {c:.1}M{i:.1} {i:.1}V{:.1}L0 {:.1}",
        w - i,
        w - c,
        w - i,
        h - i,
        h - c,
    )
}
