//! A picture of the set as the browser shows it.

use crate::page::lean::part;
use leptos::prelude::*;
use web_sys::Url;

use crate::page::lab::Lab;

/// The file of a picture; a sentence where the browser cannot show such files.
#[component]
pub fn Shown(lab: Lab, id: u32) -> impl IntoView {
    let failed = RwSignal::new(false);
    let address = lab
        .pictures
        .file(id)
        .and_then(|file| Url::create_object_url_with_blob(&file).ok());
    let held = address.clone();
    on_cleanup(move || {
        if let Some(address) = &held {
            _ = Url::revoke_object_url(address);
        }
    });
    let words = move || lab.state.words();
    view! {
        <img class="shown" src=address alt="" draggable="false" on:error=move |_| failed.set(true) />
        {part(move || failed.get().then(|| view! { <p class="note cannot-show">{words().cannot_show}</p> }))}
    }
}
