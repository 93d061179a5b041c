//! All parameters by name, module by module, each with its state.

use crate::page::lean::{derived, part};
use frostline::freeze::{ModuleState, matches};
use leptos::prelude::*;

use crate::figures::{grouped, shape};
use crate::page::icon;
use crate::page::state::State;
use crate::words::fill;

/// The list. Only open modules have their rows in the document, so that 375 names stay light.
#[component]
pub fn ParameterList(state: State) -> impl IntoView {
    let words = move || state.words();
    let wanted = RwSignal::new(String::new());
    let open = RwSignal::new(Vec::<usize>::new());
    let search = Memo::new(move |_| wanted.read().trim().to_ascii_lowercase());
    // Per module, the places of the parameters that are looked for.
    let found = Memo::new(move |_| -> Vec<Vec<usize>> {
        let network = state.network.read();
        let search = search.read();
        let mut found = vec![Vec::new(); network.rows().len()];
        for (index, parameter) in network.parameters.iter().enumerate() {
            if is_wanted(&search, &parameter.name)
                && let Some(list) = found.get_mut(parameter.module)
            {
                list.push(index);
            }
        }
        found
    });
    let count = move || found.read().iter().map(Vec::len).sum::<usize>();
    let status = move || {
        let network = state.network.read();
        let all = network.parameters.len();
        match count() {
            0 => {
                let example = network.parameters.first().map_or("", |p| &p.name);
                fill(words().found_none, &[("example", example)])
            }
            count => fill(
                words().found,
                &[("count", &count.to_string()), ("all", &all.to_string())],
            ),
        }
    };
    let modules = Memo::new(move |_| -> Vec<usize> {
        let found = found.read();
        (0..found.len())
            .filter(|&module| !found[module].is_empty())
            .collect()
    });
    let all_open = move || {
        modules
            .read()
            .iter()
            .all(|module| open.read().contains(module))
    };
    let toggle_all = move |_| {
        if untrack(all_open) {
            open.set(Vec::new());
        } else {
            open.set(modules.get_untracked());
        }
    };
    view! {
        <section class="list" aria-labelledby="list-title">
            <h2 id="list-title">{state.word(|words| words.list)}</h2>
            <div class="list-head">
                <div class="field">
                    <label for="search">{state.word(|words| words.search)}</label>
                    <input
                        id="search"
                        type="search"
                        autocomplete="off"
                        spellcheck="false"
                        aria-describedby="search-hint"
                        prop:value=wanted
                        on:input=move |event| wanted.set(event_target_value(&event))
                    />
                    <p class="hint" id="search-hint">{state.word(|words| words.search_hint)}</p>
                </div>
                <button type="button" on:click=toggle_all>
                    {part(move || if all_open() { words().close_all } else { words().open_all })}
                </button>
                <p class="hint" role="status">{part(status)}</p>
            </div>
            <For
                each=move || modules.get()
                key=|module| *module
                children=move |module| view! { <ModuleRows state module found search open /> }
            />
        </section>
    }
}

/// Whether a name is looked for: it contains the text, or matches it as a pattern.
fn is_wanted(search: &str, name: &str) -> bool {
    if search.contains('*') {
        return matches(search, name);
    }
    name.contains(search)
}

/// One module's heading, and its parameters when it is open or some are looked for.
#[component]
fn ModuleRows(
    state: State,
    module: usize,
    found: Memo<Vec<Vec<usize>>>,
    search: Memo<String>,
    open: RwSignal<Vec<usize>>,
) -> impl IntoView {
    let words = move || state.words();
    let is_open = Memo::new(move |_| !search.read().is_empty() || open.read().contains(&module));
    let places = Memo::new(move |_| found.read().get(module).cloned().unwrap_or_default());
    let frozen = Memo::new(move |_| {
        let scene = state.scene.read();
        scene
            .stage
            .states
            .get(module)
            .copied()
            .unwrap_or(ModuleState::Trains)
    });
    let kind = move || {
        state
            .network
            .read()
            .rows()
            .get(module)
            .map_or("", |row| row.kind.name())
    };
    let size = move || {
        let network = state.network.read();
        let count = network.parameters_of(module).count().to_string();
        let elements = network.modules.get(module).map_or(0, |m| m.parameters);
        let parameters = grouped(elements);
        fill(
            words().tensors,
            &[("count", &count), ("parameters", &parameters)],
        )
    };
    let body = format!("parameters-{module}");
    let rows = {
        let body = body.clone();
        move || {
            is_open.get().then(|| {
                let rows = places
                    .get()
                    .into_iter()
                    .map(|place| view! { <Row state place /> });
                view! { <ul class="parameters" id=body.clone()>{rows.collect_view()}</ul> }
            })
        }
    };
    let toggle = move |_| {
        open.update(|open| match open.iter().position(|m| *m == module) {
            Some(at) => _ = open.remove(at),
            None => open.push(module),
        });
    };
    view! {
        <div class="module-rows">
            <h3>
                <button
                    type="button"
                    aria-expanded=derived(move || is_open.get().to_string())
                    aria-controls=derived(move || is_open.get().then(|| body.clone()))
                    on:click=toggle
                >
                    <span class="fold" aria-hidden="true" />
                    <span class="name">{module} " " {part(kind)}</span>
                    <span class="size">{part(size)}</span>
                    <StateWord state frozen />
                </button>
            </h3>
            {rows}
        </div>
    }
}

/// One parameter.
#[component]
fn Row(state: State, place: usize) -> impl IntoView {
    let parameter = state
        .network
        .with_untracked(|n| n.parameters.get(place).cloned());
    let (name, shape) = parameter.map_or_else(Default::default, |p| (p.name, shape(&p.shape)));
    let frozen = Memo::new(move |_| {
        let is_frozen = state.scene.read().stage.frozen.get(place) == Some(&true);
        if is_frozen {
            ModuleState::Frozen
        } else {
            ModuleState::Trains
        }
    });
    view! {
        <li>
            <code>{name}</code>
            <span class="size">{shape}</span>
            <StateWord state frozen />
        </li>
    }
}

/// A state as drawing and word.
#[component]
fn StateWord(state: State, frozen: Memo<ModuleState>) -> impl IntoView {
    move || {
        let words = state.words();
        let found = frozen.get();
        let (class, word) = match found {
            ModuleState::Frozen => ("state cold", words.frozen),
            ModuleState::Trains => ("state warm", words.trains),
            ModuleState::Partly => ("state mixed", words.partly),
        };
        view! { <span class=class>{icon::state(found)} {word}</span> }
    }
}
