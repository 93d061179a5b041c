//! The picture of the network, with the frost line in it.

use crate::page::lean::{derived, effect, part};
use leptos::html;
use leptos::prelude::*;

use super::block::Blocks;
use super::controls::Summary;
use super::edges::Edges;
use super::life::{Life, LifeView};
use super::line::FrostLine;
use crate::page::browser;
use crate::page::icon;
use crate::page::state::State;
use crate::picture::{Flow, Picture};
use frostline::freeze::ModuleState;

/// The picture, its sentence and its legend.
#[component]
pub fn PictureView(
    state: State,
    /// The run that the picture shows, if it is to show one.
    #[prop(optional)]
    life: Option<Life>,
) -> impl IntoView {
    let frame = NodeRef::<html::Div>::new();
    let width = RwSignal::new(0.0);
    effect(move || {
        if let Some(frame) = frame.get() {
            width.set(f64::from(frame.client_width()));
            browser::observe_width(&frame, move |found| {
                if (found - width.get_untracked()).abs() >= 1.0 {
                    width.set(found);
                }
            });
        }
    });
    let picture = Memo::new(move |_| Picture::new(&state.network.read(), width.get().max(300.0)));
    // What went wrong with a click; the next change takes it away.
    let note = RwSignal::new(None::<usize>);
    effect(move || {
        state.scene.track();
        note.set(None);
    });
    let drawing = move || {
        let flow = picture.with(|picture| picture.flow);
        let class = if flow == Flow::Across {
            "across"
        } else {
            "down"
        };
        view! {
            <svg
                class=derived(move || format!("network {class}{}", life.map_or("", |life| life.class())))
                role="group"
                aria-label=state.word(|words| words.picture)
                width=derived(move || picture.with(|p| p.width))
                height=derived(move || picture.with(|p| p.height))
            >
                <Backdrop state picture />
                <Edges state picture />
                <Blocks state picture note />
                <FrostLine state picture />
                {life.map(|life| view! { <LifeView state picture life /> })}
            </svg>
        }
    };
    // Anew only when the flow turns.
    let flow = Memo::new(move |_| picture.read().flow);
    view! {
        <section class="picture" id="picture" tabindex="-1">
            <Summary state />
            <div class="frame" node_ref=frame>
                {part(move || {
                    flow.track();
                    untrack(drawing)
                })}
            </div>
            <ClickNote state note />
            <Legend state flow />
        </section>
    }
}

/// Cold before the line, warm after it; the names of the shores and the sizes of the outputs.
#[component]
fn Backdrop(state: State, picture: Memo<Picture>) -> impl IntoView {
    let flow = picture.with_untracked(|picture| picture.flow);
    let names = move || {
        let words = state.words();
        let names = [words.backbone, words.neck, words.detect];
        let picture = picture.read();
        let labels = picture
            .shores
            .iter()
            .zip(names)
            .map(|(shore, name)| match flow {
                Flow::Across => {
                    let y = picture.height - 14.0;
                    // The name of the last may be longer than its one module.
                    let (x, anchor) = if shore.rect.width < 60.0 {
                        (shore.rect.right(), "end")
                    } else {
                        (shore.rect.centre().x, "middle")
                    };
                    view! {
                        <g class="shore">
                            <path d=format!(
                                "M{:.1} {:.1}H{:.1}",
                                shore.rect.x,
                                y - 16.0,
                                shore.rect.right(),
                            ) />
                            <text x=x y=y text-anchor=anchor>
                            {name}
                        </text>
                        </g>
                    }
                    .into_any()
                }
                Flow::Down => view! {
                    <g class="shore">
                        <text x=shore.rect.x + 34.0 y=shore.rect.y - 13.0>{name}</text>
                    </g>
                }
                .into_any(),
            });
        labels.collect_view()
    };
    let bands =
        move || {
            let picture = picture.read();
            let y = picture.height - 54.0;
            let bands = picture.bands.iter().filter(|band| !band.label.is_empty()).map(|band| {
            let room = band.to - band.from;
            // A short band writes 320×320 as 320².
            let label = match band.label.split_once('×') {
                Some((height, _)) if room < 44.0 => format!("{height}²"),
                _ => band.label.clone(),
            };
            view! {
                <g class="band">
                    <path d=format!("M{:.1} {y}v4H{:.1}v-4", band.from, band.to) />
                    <text x=f64::midpoint(band.from, band.to) y=y + 17.0 text-anchor="middle">
                        {label}
                    </text>
                </g>
            }
        });
            bands.collect_view()
        };
    let channels = move || {
        let picture = picture.read();
        let network = state.network.read();
        let y = picture.height - 62.0;
        let channels = picture.blocks.iter().enumerate().map(|(module, block)| {
            let x = block.rect.centre().x;
            view! {
                <text x=x y=y text-anchor="middle">{network.channels(module)}</text>
            }
        });
        channels.collect_view()
    };
    let wash = move || {
        let picture = picture.read();
        let place = picture.place(state.line());
        match flow {
            Flow::Across => format!("translate({place:.1}px, 0px)"),
            Flow::Down => format!("translate(0px, {place:.1}px)"),
        }
    };
    let width = picture.with_untracked(|picture| picture.width);
    let (cold, warm) = match flow {
        Flow::Across => ((-320.0, 40.0, 320.0, 320.0), (0.0, 40.0, 320.0, 320.0)),
        Flow::Down => ((0.0, -180.0, width, 180.0), (0.0, 0.0, width, 180.0)),
    };
    // A partly frozen module is cold in one half, warm in the other.
    let half_y = if flow == Flow::Across { "0.6" } else { "0.1" };
    // Each wash fades away from the middle of the line's side.
    let (cold_at, warm_at) = match flow {
        Flow::Across => ("cx='1' cy='.5'", "cx='0' cy='.5'"),
        Flow::Down => ("cx='.5' cy='1'", "cx='.5' cy='0'"),
    };
    let gradients = format!(
        "<radialGradient id='cold' {cold_at}><stop class='cold-near'/><stop offset='1' class='cold-far'/></radialGradient>\
         <radialGradient id='warm' {warm_at}><stop class='warm-near'/><stop offset='1' class='warm-far'/></radialGradient>\
         <linearGradient id='half-frozen' y2='{half_y}'><stop offset='.5' class='half-cold'/><stop offset='.5' class='half-warm'/></linearGradient>"
    );
    view! {
        <defs inner_html=gradients />
        <g class="wash" style:transform=wash aria-hidden="true">
            <rect fill="url(#cold)" x=cold.0 y=cold.1 width=cold.2 height=cold.3 />
            <rect fill="url(#warm)" x=warm.0 y=warm.1 width=warm.2 height=warm.3 />
        </g>
        <g class="labels" aria-hidden="true">
            {part(names)}
            {(flow == Flow::Across).then_some((bands, channels))}
            <Input state picture />
        </g>
    }
}

/// The picture that goes in.
#[component]
fn Input(state: State, picture: Memo<Picture>) -> impl IntoView {
    let flow = picture.with_untracked(|picture| picture.flow);
    let side = move || state.network.read().imgsz;
    let (at, x, y, anchor) = match flow {
        Flow::Across => ("translate(16 200)", 16, 226, "middle"),
        Flow::Down => ("translate(16 14)", 42, 18, "start"),
    };
    let text = move || match flow {
        Flow::Across => format!("{}²", side()),
        Flow::Down => format!("{}  3×{side}×{side}", state.words().image, side = side()),
    };
    view! {
        <g class="input">
            <path transform=at d="M-12-10H12V10H-12ZM-12 6L-4-2L2 4L6 0L12 6M5-5A2 2 0 1 1 4.9-5" />
            <text x=x y=y text-anchor=anchor>{part(text)}</text>
        </g>
    }
}

/// Why a click on a module changed nothing.
#[component]
fn ClickNote(state: State, note: RwSignal<Option<usize>>) -> impl IntoView {
    let text = move || {
        let module = note.get()?;
        let words = state.words();
        let network = state.network.read();
        let kind = &network.rows().get(module)?.kind;
        let template = if kind.has_parameters() {
            words.one_must_learn
        } else {
            words.without_parameters
        };
        let index = module.to_string();
        Some(crate::words::fill(
            template,
            &[("index", &index), ("kind", kind.name())],
        ))
    };
    view! { <p class="click-note" role="status">{part(text)}</p> }
}

/// What colours and sizes mean, and how the line moves.
#[component]
fn Legend(state: State, flow: Memo<Flow>) -> impl IntoView {
    let words = move || state.words();
    let sizes = move || match flow.get() {
        Flow::Across => {
            format!(
                "{} · {} · {}",
                words().height_is,
                words().width_is,
                words().below_is
            )
        }
        Flow::Down => format!("{} · {}", words().length_is, words().thickness_is),
    };
    view! {
        <div class="legend">
            <ul>
                <li class="cold">{icon::state(ModuleState::Frozen)} {state.word(|words| words.frozen)}</li>
                <li class="warm">{icon::state(ModuleState::Trains)} {state.word(|words| words.trains)}</li>
                <li class="mixed">{icon::state(ModuleState::Partly)} {state.word(|words| words.partly)}</li>
                <li class="sizes-legend">{part(sizes)}</li>
            </ul>
            <p id="line-help">{state.word(|words| words.line_help)}</p>
        </div>
    }
}
