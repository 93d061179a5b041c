//! The Freeze view: the network, what of it is frozen, and what that changes. It needs no engine.

mod block;
mod command;
mod controls;
mod counter;
mod edges;
mod figures;
mod life;
mod line;
mod list;
mod notes;
mod picture;

use leptos::prelude::*;

use self::command::CommandLine;
use self::controls::Controls;
pub use self::controls::{BatchField, FreezeField, NumberField, SideField, whole_number};
use self::figures::Figures;
pub use self::life::Life;
use self::list::ParameterList;
use self::notes::Notes;
pub use self::picture::PictureView;
use super::state::State;

/// The view from top to bottom.
#[component]
pub fn FreezeView(state: State) -> impl IntoView {
    view! {
        <Controls state />
        <PictureView state />
        <Figures state />
        <Notes state />
        <CommandLine state />
        <ParameterList state />
    }
}
