//! Every key of the table does something somewhere: the help promises it.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{NAMES, Screen, Show, key, live, replay};

use crate::Settings;
use crate::keys::{BINDINGS, When};

/// Ways to get somewhere before the key is pressed.
const PLACES: &[&str] = &[
    "",
    "jj",
    "2jj",
    "2s",
    "2\n",
    "2\njjjjjjjjjjj",
    "2/fire\n",
    "3",
    "3j",
    "3\n",
    "4",
    "4\n",
    "?",
    "?jjj",
    "m",
];

#[test]
fn every_key_of_the_help_does_something() {
    let shows = [
        Show::machine(120, NAMES),
        Show::trace("6.12/forget-gem-close.gemtrace", usize::MAX),
        Show::trace("6.12/storm-contended.gemtrace", usize::MAX),
    ];
    for binding in BINDINGS {
        let is_replay = binding.when == When::Replay;
        for code in binding.keys {
            let does = shows.iter().any(|show| {
                PLACES.iter().any(|place| {
                    let status = if is_replay { replay(show, 5000) } else { live() };
                    let settings = Settings { replay: is_replay, ..Settings::default() };
                    let mut screen = Screen::new(80, 24, settings, status);
                    let before = screen.press(show, place);
                    if !screen.app.works(binding.when) {
                        return false;
                    }
                    let asked = screen.app.on_event(&key(*code)).is_some();
                    asked || screen.show(show) != before
                })
            });
            assert!(does, "`{}` ({code:?}) does nothing: {}", binding.shown, binding.help);
        }
    }
}

#[test]
fn the_help_tells_every_key() {
    for is_replay in [false, true] {
        let show = Show::machine(9, NAMES);
        let status = if is_replay { replay(&show, 100) } else { live() };
        let settings = Settings { replay: is_replay, ..Settings::default() };
        let mut screen = Screen::new(120, 90, settings, status);
        let seen = common::words(&screen.press(&show, "?"));
        for b in BINDINGS {
            let told = seen.lines().any(|l| l.contains(b.shown) && l.contains(b.help));
            let elsewhere = (b.when == When::Live && is_replay) || (b.when == When::Replay && !is_replay);
            assert_eq!(told, !elsewhere, "{}", b.help);
        }
        // The words of the tables are explained, and what is blind is named.
        assert!(seen.contains("own, shared") && seen.contains("vma-allow is missing"), "{seen}");
    }
}

#[test]
fn a_survey_is_kept_while_nothing_happens() {
    let show = Show::machine(50, NAMES);
    let mut screen = Screen::plain(80, 24);
    screen.show(&show);
    assert_eq!(screen.app.survey().buffers.len(), 50);
    let first: *const _ = screen.app.survey().buffers.as_ptr();
    screen.press(&show, "2jjs1");
    assert_eq!(first, screen.app.survey().buffers.as_ptr());
}
