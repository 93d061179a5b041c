//! The Train view: what a run begins with, the button, what goes on, and what came of it.

mod bar;
mod during;
mod kept;
mod life;
mod outcome;
mod runs;
mod setup;
mod weights;
mod work;

use leptos::prelude::*;

pub use self::bar::{Holding, activity_name};
use self::bar::{KeptRun, TrainBar};
use self::during::{Curves, EpochTable, ModuleTable};
use self::life::life_of;
use self::outcome::{Commands, Outcome};
pub use self::runs::{Activity, Runs};
pub use self::setup::{Setup, foretell_when_settings_change};
use super::freeze::PictureView;
use super::lab::Lab;
use crate::words::fill;

/// The view from top to bottom.
#[component]
pub fn TrainView(lab: Lab) -> impl IntoView {
    lab.begin_runs();
    foretell_when_settings_change(lab);
    let (state, runs) = (lab.state, lab.runs);
    let none = Signal::derive(move || runs.record.read().is_none());
    let alone = runs.is_under_way(false);
    let other_plan = Signal::derive(move || {
        let record = runs.record.read();
        let asked = &record.as_ref()?.ask.freeze;
        let differs = alone.get() && *asked != state.freeze.read().trim();
        differs.then(|| fill(state.words().train_other_plan, &[("freeze", asked)]))
    });
    view! {
        <div class="train">
            <p class="lead">{state.word(|words| words.train_lead)}</p>
            <KeptRun lab />
            <Setup lab plan=true />
            <TrainBar lab />
            <Outcome lab />
            <div class="told" hidden=none>
                <Curves lab />
                <EpochTable lab />
            </div>
            <div class="live">
                <p class="hint" role="status">{other_plan}</p>
                <div inert=alone>
                    <PictureView state life=life_of(lab) />
                </div>
            </div>
            <div hidden=none>
                <ModuleTable lab />
            </div>
            <Commands lab />
        </div>
    }
}
