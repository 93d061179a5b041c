//! Closures behind one type each. Leptos makes code of its own for every type of closure that a view holds; behind a
//! pointer they share it, and the program is a good deal smaller.

use leptos::prelude::*;

/// A part of a view that follows what it reads.
pub fn part<V: IntoView + 'static>(made: impl Fn() -> V + Send + Sync + 'static) -> impl IntoView {
    shared(ViewFn::from(made))
}

fn shared(made: ViewFn) -> impl Fn() -> AnyView + Send + Sync + 'static {
    move || made.run()
}

/// A value for an attribute that follows what it reads.
pub fn derived<T: Send + Sync + 'static>(
    value: impl Fn() -> T + Send + Sync + 'static,
) -> Signal<T> {
    Signal::derive(value)
}

/// What is done now, and again whenever something changes that it reads.
pub fn effect(done: impl FnMut() + 'static) {
    boxed_effect(Box::new(done));
}

fn boxed_effect(done: Box<dyn FnMut()>) {
    Effect::new(done);
}
