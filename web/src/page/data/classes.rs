//! The classes: their names and colours, which one is drawn next, how often each is there.

use crate::page::lean::{derived, part};
use leptos::prelude::*;

use super::class_style;
use crate::dataset::{Count, WrongName};
use crate::page::lab::Lab;
use crate::words::fill;

/// The classes of the set. `class` is that of boxes drawn next.
#[component]
pub fn Classes(lab: Lab, class: RwSignal<usize>) -> impl IntoView {
    let words = move || lab.state.words();
    let set = lab.pictures.set;
    let wrong = RwSignal::new(None::<WrongName>);
    let wrong_text = move || {
        wrong.get().map(|wrong| match wrong {
            WrongName::Empty => words().class_empty,
            WrongName::Long => words().class_long,
            WrongName::Taken => words().class_taken,
        })
    };
    let count = Memo::new(move |_| set.read().classes().len());
    let counts = Memo::new(move |_| set.read().boxes_by_class());
    let new = RwSignal::new(String::new());
    let add = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let mut added = None;
        lab.pictures
            .change(|set| match set.add_class(&new.get_untracked()) {
                Ok((index, touched)) => {
                    added = Some(Ok(index));
                    touched
                }
                Err(problem) => {
                    added = Some(Err(problem));
                    Default::default()
                }
            });
        match added {
            Some(Ok(index)) => {
                class.set(index);
                new.set(String::new());
                wrong.set(None);
            }
            Some(Err(problem)) => wrong.set(Some(problem)),
            None => {}
        }
    };
    view! {
        <section class="classes" aria-labelledby="classes-title">
            <h3 id="classes-title">{lab.state.word(|words| words.classes_title)}</h3>
            <ul>
                <For each=move || 0..count.get() key=|index| *index let(index)>
                    <ClassRow lab class index wrong counts />
                </For>
            </ul>
            <form class="new-class" on:submit=add>
                <label for="new-class">{lab.state.word(|words| words.class_new)}</label>
                <input
                    id="new-class"
                    type="text"
                    autocomplete="off"
                    aria-describedby="class-error"
                    prop:value=new
                    on:input=move |event| new.set(event_target_value(&event))
                />
                <button type="submit">{lab.state.word(|words| words.class_add)}</button>
            </form>
            <p class="error" id="class-error" role="status">{part(wrong_text)}</p>
        </section>
    }
}

#[component]
fn ClassRow(
    lab: Lab,
    class: RwSignal<usize>,
    index: usize,
    wrong: RwSignal<Option<WrongName>>,
    counts: Memo<Vec<Count>>,
) -> impl IntoView {
    let words = move || lab.state.words();
    let name = Memo::new(move |_| {
        lab.pictures
            .set
            .read()
            .classes()
            .get(index)
            .cloned()
            .unwrap_or_default()
    });
    let told = move || {
        let Count { train, val } = counts.read().get(index).copied().unwrap_or_default();
        fill(
            words().class_boxes,
            &[("train", &train.to_string()), ("val", &val.to_string())],
        )
    };
    let rename = move |event: leptos::ev::Event| {
        let mut problem = None;
        lab.pictures.change(|set| {
            set.rename_class(index, &event_target_value(&event))
                .unwrap_or_else(|found| {
                    problem = Some(found);
                    Default::default()
                })
        });
        wrong.set(problem);
    };
    let remove = move |_| {
        lab.pictures.change(|set| set.remove_class(index));
        class.update(|class| *class = class.saturating_sub(usize::from(*class >= index)));
    };
    view! {
        <li>
            <label class="class-choice">
                <input
                    type="radio"
                    name="class"
                    prop:checked=derived(move || class.get() == index)
                    on:change=move |_| class.set(index)
                />
                <span class=format!("swatch {}", class_style(index)) aria-hidden="true">
                    {(index < 9).then(|| index + 1)}
                </span>
                <span class="unseen">{name}</span>
            </label>
            <input
                class="class-name"
                type="text"
                autocomplete="off"
                aria-label=derived(move || fill(words().class_name, &[("name", &name.read())]))
                prop:value=name
                on:change=rename
            />
            <span class="hint">{part(told)}</span>
            <button type="button" aria-label=derived(move || fill(words().class_remove, &[("name", &name.read())])) on:click=remove>
                "×"
            </button>
        </li>
    }
}
