//! What the monitor does with keys, clicks, colours, sizes and names that nobody should have.

mod common;

use common::*;
use gemscope_report::{Judgement, Names, escape, text};
use gemscope_tui::{Action, Colour, Settings};
use proptest::prelude::*;
use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::style::{Color, Modifier};

/// Ways to every view.
const EVERYWHERE: &[&str] =
    &["", "2", "2g\n", "2\n", "2\njjjjjjjjjjjj\n", "3", "3n", "3\n", "4", "4\n", "5", "?", "2/a", "m"];

fn shows() -> Vec<Show> {
    vec![
        Show::empty(),
        Show::machine(60, NAMES),
        Show::trace("6.12/forget-gem-close.gemtrace", usize::MAX),
        Show::trace("6.12/six-step.gemtrace", 45),
    ]
}

#[test]
fn colours_are_those_that_were_asked_for() {
    for show in shows() {
        for keys in EVERYWHERE {
            for asked in [Colour::None, Colour::Sixteen] {
                let mut screen = Screen::new(100, 30, colour(asked), live());
                let buffer = screen.press(&show, keys);
                for cell in &buffer.content {
                    for c in [cell.fg, cell.bg] {
                        let fine = match asked {
                            Colour::None => c == Color::Reset,
                            _ => !matches!(c, Color::Rgb(..) | Color::Indexed(_)),
                        };
                        assert!(fine, "{c:?} of {asked:?} in `{keys}`");
                    }
                    let allowed = Modifier::BOLD | Modifier::UNDERLINED | Modifier::REVERSED;
                    assert!(asked != Colour::None || allowed.contains(cell.modifier), "{:?}", cell.modifier);
                }
            }
        }
    }
}

#[test]
fn words_are_the_same_in_every_colour() {
    for show in shows() {
        for keys in EVERYWHERE {
            let seen = [Colour::None, Colour::Sixteen, Colour::Rich].map(|c| {
                let mut screen = Screen::new(90, 30, colour(c), live());
                words(&screen.press(&show, keys))
            });
            assert!(seen.windows(2).all(|w| w[0] == w[1]), "{keys}");
        }
    }
}

#[test]
fn hostile_names_stay_names() {
    let long = [b'x'; 10_240];
    let hostile: &[&[u8]] = &[
        b"\x1b[31mred\x1b]0;title\x07",
        "a\u{202e}evil\u{2066}\u{200b}".as_bytes(),
        b"<script>alert(1)</script>",
        b"\xff\xfe\n\r\t\0",
        &long,
        "日本語の名前".as_bytes(),
        "👩‍🚀🚀".as_bytes(),
    ];
    let mut show = Show::machine(300, hostile);
    for text in ["\x1b[2J", "a\u{202e}b"] {
        show.context.kernel = text.into();
        show.context.filters = vec![text.into()];
        show.context.missing[0].reason = text.repeat(500);
        let mut status = live();
        status.source = text.into();
        status.message = Some(text.into());
        for keys in EVERYWHERE {
            for ascii in [false, true] {
                let settings = Settings { ascii, ..Settings::default() };
                let mut screen = Screen::new(97, 30, settings, status.clone());
                let buffer = screen.press(&show, keys);
                for cell in &buffer.content {
                    let bad = cell.symbol().chars().find(|c| escape::is_hostile(*c));
                    assert_eq!(bad, None, "in `{keys}`");
                    assert!(!ascii || cell.symbol().is_ascii());
                }
            }
        }
    }
}

#[test]
fn wide_names_keep_columns_in_line() {
    let show = Show::machine(80, &["日本語の名前".as_bytes(), b"plain"]);
    let mut screen = Screen::plain(100, 30);
    let buffer = screen.press(&show, "");
    // Every number of a column ends where its head ends.
    let head = (0..100).find(|x| buffer[(*x, 4)].symbol() == "▼").unwrap();
    for y in 5..20 {
        assert_ne!(buffer[(head - 1, y)].symbol(), " ", "row {y}");
        assert_eq!(buffer[(head, y)].symbol(), " ", "row {y}");
    }
}

#[test]
fn the_header_never_lies() {
    let mut show = Show::machine(30, NAMES);
    let mut screen = Screen::plain(80, 24);
    let seen = words(&screen.show(&show));
    assert!(seen.contains("no finding so far") && seen.contains("! 1 missing"), "{seen}");
    assert!(!seen.contains("clean"), "{seen}");
    show.context.filters = vec!["--comm=foo".into()];
    screen.status.drops = 51_035;
    screen.status.lag = 7;
    let seen = words(&screen.show(&show));
    for what in ["! 51,035 lost", "! filtered: --comm=foo", "! 7 records behind"] {
        assert!(seen.contains(what), "{what}: {seen}");
    }
    // What is wrong is told on a narrow screen too.
    let mut narrow = Screen::new(40, 12, Settings::default(), screen.status.clone());
    let seen = words(&narrow.show(&show));
    assert!(seen.contains("51,035 lost") && seen.contains("1 missing"), "{seen}");
}

#[test]
fn a_picture_can_be_held() {
    let mut machine = Machine::with(40, NAMES);
    let mut show = Show::machine(40, NAMES);
    let mut screen = Screen::plain(80, 24);
    let before = screen.press(&show, "2");
    assert_eq!(screen.app.on_event(&key(KeyCode::Char('p'))), Some(Action::Pause(true)));
    (40..90).for_each(|slot| machine.birth(slot));
    machine.flush();
    show.scene = machine.scene;
    show.now_ns += 9_000_000_000;
    let held = screen.show(&show);
    assert!(words(&held).contains("PAUSED"));
    assert_eq!(
        words(&held).lines().skip(1).collect::<Vec<_>>(),
        words(&before).lines().skip(1).collect::<Vec<_>>()
    );
    assert_eq!(screen.app.on_event(&key(KeyCode::Char(' '))), Some(Action::Pause(false)));
    assert!(words(&screen.show(&show)).contains("2 Buffers 90"));
}

#[test]
fn a_buffer_stays_readable_when_it_is_gone() {
    let alive = Show::trace("6.12/six-step.gemtrace", 45);
    let over = Show::trace("6.12/six-step.gemtrace", usize::MAX);
    let mut screen = Screen::plain(100, 60);
    assert!(words(&screen.press(&alive, "2\n")).contains("who holds it"));
    let seen = words(&screen.show(&over));
    for what in ["gone since", "who held it last", "dma-buf exported", "object died"] {
        assert!(seen.contains(what), "{what}: {seen}");
    }
}

#[test]
fn tabs_heads_and_rows_can_be_clicked() {
    let show = Show::machine(60, NAMES);
    let mut screen = Screen::plain(80, 24);
    screen.show(&show);
    screen.app.on_event(&click(18, 3));
    let seen = words(&screen.show(&show));
    assert!(seen.contains("made by"), "{seen}");
    // The head that sorts already turns the order round.
    screen.app.on_event(&click(22, 4));
    let seen = words(&screen.show(&show));
    assert!(seen.contains("size▲"), "{seen}");
    // A row: the first click selects, the second opens.
    screen.app.on_event(&click(5, 8));
    assert!(screen.show(&show)[(5, 8)].modifier.contains(Modifier::REVERSED));
    screen.app.on_event(&click(5, 8));
    assert!(words(&screen.show(&show)).contains("life story"));
}

#[test]
fn time_can_be_moved() {
    let show = Show::machine(60, NAMES);
    let settings = Settings { replay: true, ..Settings::default() };
    let mut screen = Screen::new(80, 24, settings, replay(&show, 1000));
    screen.show(&show);
    let first = screen.app.on_event(&click(5, 22));
    assert_eq!(first, Some(Action::Seek(0)));
    let drag = MouseEventKind::Drag(MouseButton::Left);
    let event = MouseEvent { kind: drag, column: 79, row: 22, modifiers: KeyModifiers::NONE };
    assert_eq!(screen.app.on_event(&Event::Mouse(event)), Some(Action::Seek(1000)));
    for (code, action) in [
        (KeyCode::Left, Action::StepHappening(-1)),
        (KeyCode::Char('>'), Action::Step(1)),
        (KeyCode::Char('+'), Action::Speed(2.0)),
        (KeyCode::Char(' '), Action::Pause(false)),
        (KeyCode::Char('q'), Action::Quit),
    ] {
        assert_eq!(screen.app.on_event(&key(code)), Some(action));
    }
}

#[test]
fn findings_can_be_saved() {
    let show = Show::trace("6.12/forget-gem-close.gemtrace", usize::MAX);
    for keys in ["3", "3\n"] {
        let mut screen = Screen::plain(80, 24);
        screen.press(&show, keys);
        assert_eq!(screen.app.on_event(&key(KeyCode::Char('w'))), Some(Action::SaveFinding(1)));
    }
    // What the driver writes then.
    let world = show.world();
    let judgement = Judgement::of_one(world.engine, 1);
    let names = Names {
        context: world.context,
        judgement: &judgement,
        directory: world.directory,
        definitions: world.definitions,
    };
    let report = text::bug_report(&names, 1);
    assert!(report.starts_with("handle-leak: a GEM handle was still open"), "{report}");
    for what in [
        "kernel    6.12",
        "probes    48 attached, 0 missing",
        "none lost",
        "1. handle-leak [leak]",
        "create_dumb",
    ] {
        assert!(report.contains(what), "{what}: {report}");
    }
    assert_eq!(text::bug_report(&names, 2), "");
}

#[test]
fn control_c_ends_even_while_a_filter_is_typed() {
    let show = Show::machine(5, NAMES);
    let mut screen = Screen::plain(80, 24);
    screen.press(&show, "/abc");
    let event = Event::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
    assert_eq!(screen.app.on_event(&event), Some(Action::Quit));
}

#[test]
fn small_screens_say_so() {
    let show = Show::machine(20, NAMES);
    for (width, height) in [(20, 5), (39, 24), (80, 8), (1, 1)] {
        let mut screen = Screen::plain(width, height);
        let seen = words(&screen.press(&show, "2\n"));
        let cut = if width == 1 { "…" } else { "too small: 40x9" };
        assert!(seen.starts_with(cut), "{seen}");
    }
}

#[test]
fn every_view_stands_every_size() {
    for show in shows() {
        for keys in EVERYWHERE {
            let mut screen = Screen::plain(80, 24);
            screen.press(&show, keys);
            for (width, height) in [(200, 60), (40, 9), (41, 10), (20, 5), (130, 9), (55, 80), (80, 24)] {
                screen.terminal.backend_mut().resize(width, height);
                screen.app.on_event(&Event::Resize(width, height));
                screen.show(&show);
            }
        }
    }
}

fn events() -> impl Strategy<Value = Event> {
    let codes = prop_oneof![
        6 => prop::sample::select("?qs SgnwmMprkjG12345/<>,.+-abc\n".chars().map(KeyCode::Char).collect::<Vec<_>>()),
        3 => prop::sample::select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Tab, KeyCode::BackTab, KeyCode::Up, KeyCode::Down,
            KeyCode::PageUp, KeyCode::PageDown, KeyCode::Home, KeyCode::End, KeyCode::Backspace, KeyCode::Left,
        ]),
        1 => any::<char>().prop_map(KeyCode::Char),
    ];
    let modifiers = prop_oneof![8 => Just(KeyModifiers::NONE), 1 => Just(KeyModifiers::CONTROL)];
    let kinds = prop::sample::select(vec![
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Drag(MouseButton::Left),
        MouseEventKind::ScrollDown,
        MouseEventKind::ScrollUp,
    ]);
    let mouse = (kinds, 0u16..180, 0u16..60).prop_map(|(kind, column, row)| {
        Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    });
    prop_oneof![
        6 => (codes, modifiers).prop_map(|(c, m)| Event::Key(KeyEvent::new(c, m))),
        3 => mouse,
        1 => (1u16..180, 1u16..60).prop_map(|(w, h)| Event::Resize(w, h)),
    ]
}

thread_local! {
    static SHOWS: Vec<Show> = shows();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn nothing_that_is_pressed_breaks_it(
        events in prop::collection::vec((events(), 0usize..4), 1..40),
        ascii: bool,
        is_replay: bool,
    ) {
        SHOWS.with(|shows| {
            let settings = Settings { ascii, replay: is_replay, ..Settings::default() };
            let status = if is_replay { replay(&shows[1], 1000) } else { live() };
            let mut screen = Screen::new(80, 24, settings, status);
            screen.show(&shows[1]);
            for (event, at) in &events {
                if let Event::Resize(width, height) = event {
                    screen.terminal.backend_mut().resize(*width, *height);
                }
                screen.app.on_event(event);
                screen.show(&shows[if *at == 0 { 3 } else { 1 }]);
            }
        });
    }
}
