//! The browser around the page: address, language, theme, clipboard, timers.

use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::state::State;
use crate::address::{Address, Theme};
use crate::words::Language;

/// How long the address waits before it follows: browsers allow some hundred changes a minute.
const ADDRESS_DELAY: Duration = Duration::from_millis(300);

/// The query of the page's address.
pub fn query() -> String {
    window().location().search().unwrap_or_default()
}

/// Whether the document says that it stands inside another page.
pub fn is_embedded() -> bool {
    let root = document().document_element();
    root.is_some_and(|root| root.has_attribute("data-embed"))
}

/// The first of the reader's preferred languages that the page speaks.
pub fn language() -> Language {
    let tags = window().navigator().languages();
    Language::preferred(tags.iter().filter_map(|tag| tag.as_string()))
}

/// Milliseconds since the page began.
pub fn now_ms() -> f64 {
    window().performance().map_or(0.0, |clock| clock.now())
}

/// Whether the reader asked for little movement.
pub fn reduced_motion() -> bool {
    let query = window().match_media("(prefers-reduced-motion: reduce)");
    query.ok().flatten().is_some_and(|query| query.matches())
}

/// Removes what stood there until the program had loaded.
pub fn clear_loading() {
    if let Some(element) = document().get_element_by_id("loading") {
        element.remove();
    }
}

/// Loads the page anew with another address.
pub fn go_to(address: &Address) {
    _ = window().location().set_search(&address.to_query());
}

/// Writes what a defect says to the console before the program ends.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        web_sys::console::error_1(&panic.to_string().into());
    }));
}

/// Moves the focus.
pub fn focus(id: &str) {
    let element = document().get_element_by_id(id);
    let Some(element) = element else { return };
    if let Some(html) = element.dyn_ref::<web_sys::HtmlElement>() {
        _ = html.focus();
    } else if let Some(svg) = element.dyn_ref::<web_sys::SvgElement>() {
        _ = svg.focus();
    }
}

/// Copies a text; says whether the browser allowed it.
pub async fn copy(text: &str) -> bool {
    // Pages without a secure origin have no clipboard at all.
    let clipboard = js_sys::Reflect::get(&window().navigator(), &"clipboard".into());
    if clipboard.is_ok_and(|clipboard| clipboard.is_undefined()) {
        return false;
    }
    JsFuture::from(window().navigator().clipboard().write_text(text))
        .await
        .is_ok()
}

/// Bytes as a file of a media type, in the browser's keeping.
pub fn file_of(bytes: &js_sys::ArrayBuffer, kind: &str) -> Option<web_sys::Blob> {
    let options = web_sys::BlobPropertyBag::new();
    options.set_type(kind);
    let parts = js_sys::Array::of1(bytes);
    web_sys::Blob::new_with_buffer_source_sequence_and_options(&parts, &options).ok()
}

/// Hands a file over as a download.
pub fn download(file: &web_sys::Blob, name: &str) {
    let Ok(address) = web_sys::Url::create_object_url_with_blob(file) else {
        return;
    };
    let link = document().create_element("a");
    if let Some(link) = link
        .ok()
        .and_then(|link| link.dyn_into::<web_sys::HtmlAnchorElement>().ok())
    {
        link.set_href(&address);
        link.set_download(name);
        link.click();
    }
    // The browser reads it after the click.
    set_timeout(
        move || _ = web_sys::Url::revoke_object_url(&address),
        Duration::from_secs(10),
    );
}

/// Keeps the document's language, title and theme.
pub fn keep_document(state: State) {
    Effect::new(move || {
        let language = state.language.get();
        document().set_title(language.words().title);
        if let Some(root) = document().document_element() {
            _ = root.set_attribute("lang", language.tag());
        }
    });
    Effect::new(move || {
        let Some(root) = document().document_element() else {
            return;
        };
        _ = match state.theme.get() {
            Theme::System => root.remove_attribute("data-theme"),
            theme => root.set_attribute("data-theme", theme.name()),
        };
    });
}

/// Keeps the address: it says what the page shows, and going back or forward is followed.
pub fn keep_address(state: State) {
    let pending = StoredValue::new(None::<TimeoutHandle>);
    Effect::new(move |first: Option<()>| {
        let address = state.address().to_query();
        if first.is_none() {
            return;
        }
        if let Some(earlier) = pending.try_update_value(Option::take).flatten() {
            earlier.clear();
        }
        let moved = Address::from_query(&query()).view != state.view.get_untracked();
        let write = move || {
            if let Ok(history) = window().history() {
                // Refused in documents without an origin; they go without.
                // Another view is a page to go back from; anything else is not.
                _ = if moved {
                    history.push_state_with_url(&JsValue::NULL, "", Some(&address))
                } else {
                    history.replace_state_with_url(&JsValue::NULL, "", Some(&address))
                };
            }
        };
        pending.set_value(set_timeout_with_handle(write, ADDRESS_DELAY).ok());
    });
    let listener = window_event_listener(leptos::ev::popstate, move |_| {
        state.take(Address::from_query(&query()));
    });
    // As long as the page.
    std::mem::forget(listener);
}

/// Calls back with an element's width in pixels, now and whenever it changes.
pub fn observe_width(element: &web_sys::Element, told: impl Fn(f64) + 'static) {
    observe(element, move |size| told(size.width()));
}

/// Calls back with an element's height in pixels, now and whenever it changes.
pub fn observe_height(element: &web_sys::Element, told: impl Fn(f64) + 'static) {
    observe(element, move |size| told(size.height()));
}

fn observe(element: &web_sys::Element, told: impl Fn(web_sys::DomRectReadOnly) + 'static) {
    let callback = Closure::<dyn FnMut(js_sys::Array)>::new(move |entries: js_sys::Array| {
        if let Ok(entry) = entries.get(0).dyn_into::<web_sys::ResizeObserverEntry>() {
            told(entry.content_rect());
        }
    });
    let Ok(observer) = web_sys::ResizeObserver::new(callback.as_ref().unchecked_ref()) else {
        return;
    };
    observer.observe(element);
    // As long as the view that asked.
    let held = StoredValue::new_local((observer, callback));
    on_cleanup(move || {
        held.try_with_value(|(observer, _)| observer.disconnect());
    });
}
