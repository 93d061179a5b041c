//! The name of the page, its language and its theme; what it promises.

use crate::page::lean::derived;
use leptos::prelude::*;

use super::icon;
use super::state::State;
use crate::address::Theme;
use crate::words::Language;

/// The head of the page.
#[component]
pub fn Header(state: State) -> impl IntoView {
    view! {
        <header class="page-header">
            <div class="brand">
                {icon::mark()}
                <div>
                    <h1>{state.word(|words| words.brand)}</h1>
                    <p>{state.word(|words| words.tagline)}</p>
                </div>
            </div>
            <div class="settings">
                <LanguageSwitch state />
                <ThemeSwitch state />
            </div>
        </header>
    }
}

#[component]
fn LanguageSwitch(state: State) -> impl IntoView {
    let choices = Language::ALL.map(|language| {
        view! {
            <button
                type="button"
                lang=language.tag()
                aria-pressed=derived(move || (state.language.get() == language).to_string())
                on:click=move |_| state.chosen_language.set(Some(language))
            >
                {language.name()}
            </button>
        }
    });
    view! {
        <div class="segments" role="group" aria-label=state.word(|words| words.language)>
            {choices.into_iter().collect_view()}
        </div>
    }
}

#[component]
fn ThemeSwitch(state: State) -> impl IntoView {
    let choices = Theme::ALL.map(|theme| {
        let name = move || {
            let words = state.words();
            match theme {
                Theme::System => words.theme_system,
                Theme::Light => words.theme_light,
                Theme::Dark => words.theme_dark,
            }
        };
        view! {
            <button
                type="button"
                class="icon-only"
                data-theme-choice=theme.name()
                aria-label=name
                title=name
                aria-pressed=derived(move || (state.theme.get() == theme).to_string())
                on:click=move |_| state.theme.set(theme)
            >
                {icon::theme(theme)}
            </button>
        }
    });
    view! {
        <div class="segments" role="group" aria-label=state.word(|words| words.theme)>
            {choices.into_iter().collect_view()}
        </div>
    }
}

/// The foot of the page: what it promises; inside another page also the way out.
#[component]
pub fn Footer(state: State) -> impl IntoView {
    let full_page = move || {
        let query = state.address().to_query();
        view! {
            <a href=format!("./index.html{query}") target="_blank" rel="noopener">
                {state.words().full_page}
            </a>
        }
    };
    view! {
        <footer class="page-footer">
            <p>{state.word(|words| words.footer)}</p>
            {state.embedded.then_some(full_page)}
        </footer>
    }
}
