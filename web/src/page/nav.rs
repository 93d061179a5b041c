//! The way through the lab: one link per view.

use crate::page::lean::{derived, part};
use leptos::prelude::*;

use super::state::State;
use crate::address::View;
use crate::words::Words;

/// The name of a view.
pub fn name(view: View, words: &Words) -> &'static str {
    match view {
        View::Freeze => words.view_freeze,
        View::Data => words.view_data,
        View::Train => words.view_train,
        View::Detect => words.view_detect,
        View::Race => words.view_race,
        View::Xray => words.view_xray,
    }
}

/// A link to each view.
#[component]
pub fn Navigation(state: State) -> impl IntoView {
    let links = View::ALL.map(|view| {
        view! { <li><ViewLink state view>{part(move || name(view, state.words()))}</ViewLink></li> }
    });
    view! {
        <nav class="views" aria-label=state.word(|words| words.views)>
            <ul>{links.into_iter().collect_view()}</ul>
        </nav>
    }
}

/// A link that shows another view without loading the page again.
#[component]
pub fn ViewLink(state: State, view: View, children: Children) -> impl IntoView {
    let address = move || {
        let mut address = state.address();
        address.view = view;
        address.to_query()
    };
    let open = move |event: leptos::ev::MouseEvent| {
        // Of the program that has the Freeze view alone, another view is another page.
        if cfg!(not(feature = "studio")) && view != View::Freeze {
            return;
        }
        // A new tab or window is the browser's affair.
        if event.ctrl_key() || event.meta_key() || event.shift_key() || event.button() != 0 {
            return;
        }
        event.prevent_default();
        state.view.set(view);
        window().scroll_to_with_x_and_y(0.0, 0.0);
    };
    view! {
        <a
            href=address
            aria-current=derived(move || (state.view.get() == view).then_some("page"))
            on:click=open
        >
            {children()}
        </a>
    }
}
