//! A frame of a machine with 100,000 live buffers at 160 by 50: the survey alone, the refresh, the drawing, all together;
//! sorted by every column.
//!
//! Run with `cargo bench -p gemscope-tui`.

#[path = "../tests/common/workload.rs"]
mod workload;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use gemscope_report::Context;
use gemscope_report::survey::{Survey, World};
use gemscope_tui::{App, Settings, Status};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

const LIVE_BUFFERS: u32 = 100_000;
const NAMES: &[&[u8]] = &[b"gnome-shell", b"firefox", b"Xwayland", b"mpv"];
/// Columns of the table of buffers, but the one that is there with a mark only.
const COLUMNS: usize = 14;

fn press(app: &mut App, c: char) {
    app.on_event(&Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)));
}

fn bench(c: &mut Criterion) {
    let mut machine = workload::Machine::with(LIVE_BUFFERS, NAMES);
    let context = Context { kernel: "6.12".into(), profile: "v6.12".into(), ..Context::default() };
    let definitions = machine.definitions.clone();
    let status = Status { source: "live".into(), ..Status::default() };
    let mut now_ns = machine.scene.last_ns() + 1_000_000_000;
    let mut terminal = Terminal::new(TestBackend::new(160, 50)).expect("a screen in memory");
    let mut group = c.benchmark_group("100,000 live buffers");
    group.sample_size(20);

    let world = machine.scene.world(&context, &definitions, None, now_ns);
    group.bench_function("survey", |b| b.iter(|| black_box(Survey::of(black_box(&world)))));

    // Nothing has happened since: the survey is kept, as between keys.
    for (name, keys) in [("processes", "1"), ("buffers", "2"), ("buffers grouped", "2g"), ("call sites", "4")]
    {
        let mut app = App::new(Settings::default());
        app.refresh(&world, &status);
        keys.chars().for_each(|c| press(&mut app, c));
        app.refresh(&world, &status);
        group.bench_function(format!("refresh without news, {name}"), |b| {
            b.iter(|| app.refresh(black_box(&world), &status));
        });
        if name == "buffers" {
            group.bench_function(format!("draw, {name}"), |b| {
                b.iter(|| terminal.draw(|f| app.draw(f)).map(|_| ()).expect("memory cannot fail"));
            });
        }
    }

    // Time passes and something happens between each two frames: everything is looked at again.
    let mut slot = LIVE_BUFFERS;
    for column in 0..COLUMNS {
        let mut app = App::new(Settings::default());
        press(&mut app, '2');
        // It begins with the second column.
        (0..(column + COLUMNS - 1) % COLUMNS).for_each(|_| press(&mut app, 's'));
        group.bench_function(format!("frame with news, buffers by column {column}"), |b| {
            b.iter_custom(|times| {
                let mut taken = std::time::Duration::ZERO;
                for _ in 0..times {
                    slot += 1;
                    now_ns += 250_000_000;
                    machine.birth(slot);
                    machine.flush();
                    let world: World<'_> = machine.scene.world(&context, &definitions, None, now_ns);
                    let from = std::time::Instant::now();
                    app.refresh(&world, &status);
                    terminal.draw(|f| app.draw(f)).map(|_| ()).expect("memory cannot fail");
                    taken += from.elapsed();
                }
                taken
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
