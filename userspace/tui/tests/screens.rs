//! What people see, view by view, on a small and on a large screen.

mod common;

use common::*;
use gemscope_tui::Settings;

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 50)];

/// The screens after these keys, one below the other.
#[track_caller]
fn screens(name: &str, show: &Show, keys: &str) {
    for (width, height) in SIZES {
        let mut screen = Screen::plain(width, height);
        let seen = words(&screen.press(show, keys));
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), seen);
    }
}

fn sharing() -> Show {
    Show::trace("6.12/six-step.gemtrace", 45)
}

#[test]
fn views_of_a_recorded_trace() {
    let show = sharing();
    screens("processes", &show, "");
    screens("buffers", &show, "2");
    screens("buffers_grouped", &show, "2g\n");
    screens("call_sites", &show, "4");
    screens("call_site", &show, "4\n");
    screens("buffer", &show, "2\n");
    screens("findings_none", &show, "3");
    screens("help", &show, "?");
}

#[test]
fn findings_of_a_recorded_trace() {
    let show = Show::trace("6.12/forget-gem-close.gemtrace", usize::MAX);
    screens("findings", &show, "3n");
    screens("finding", &show, "3\n");
    screens("buffers_at_the_end", &show, "2");
}

#[test]
fn nothing_yet() {
    let show = Show::empty();
    screens("empty_processes", &show, "");
    screens("empty_buffers", &show, "2");
    screens("empty_findings", &show, "3");
    screens("empty_buffer", &show, "5");
}

#[test]
fn a_busy_machine() {
    let show = Show::machine(100_000, NAMES);
    // One monitor for all: the survey is made once.
    let mut screen = Screen::plain(80, 24);
    for (width, height) in SIZES {
        screen.terminal.backend_mut().resize(width, height);
        for (name, keys) in [("processes", "1"), ("buffers", "2"), ("grouped", "2g"), ("sites", "4")] {
            let seen = words(&screen.press(&show, keys));
            insta::assert_snapshot!(format!("many_{name}_{width}x{height}"), seen);
            if keys.ends_with('g') {
                screen.press(&show, "g");
            }
        }
    }
    drop(show);
    let show = Show::machine(3_000, NAMES);
    screens("many_filtered", &show, "2/firefox\n");
    screens("many_of_one_process", &show, "j\n");
    screens("many_buffer", &show, "2sssj\n");
}

#[test]
fn growth_since_a_mark() {
    let mut machine = Machine::with(200, NAMES);
    let show_of = |m: &Machine| Show {
        scene: m.scene.clone(),
        definitions: m.definitions.clone(),
        now_ns: m.scene.last_ns(),
        ..Show::empty()
    };
    for (width, height) in SIZES {
        let mut screen = Screen::plain(width, height);
        let mut show = show_of(&machine);
        screen.press(&show, "m");
        for slot in 200..400 {
            machine.birth(slot);
        }
        machine.flush();
        show = show_of(&machine);
        show.now_ns += 8_000_000_000;
        let seen = words(&screen.press(&show, "")) + &words(&screen.press(&show, "2"));
        insta::assert_snapshot!(format!("mark_{width}x{height}"), seen);
    }
}

#[test]
fn a_replay_has_a_slider() {
    let show = sharing();
    for (width, height) in SIZES {
        let settings = Settings { replay: true, ..Settings::default() };
        let mut screen = Screen::new(width, height, settings, replay(&show, 120));
        insta::assert_snapshot!(format!("replay_{width}x{height}"), words(&screen.show(&show)));
    }
}

#[test]
fn ascii_only() {
    let show = sharing();
    for (width, height) in SIZES {
        let settings = Settings { ascii: true, ..Settings::default() };
        let mut screen = Screen::new(width, height, settings, live());
        let seen = words(&screen.press(&show, "2\n"));
        assert!(seen.is_ascii(), "{seen}");
        insta::assert_snapshot!(format!("ascii_{width}x{height}"), seen);
    }
}
