//! Scenes to look at, and the screen that they are looked at on.
#![allow(dead_code, reason = "not every test uses everything")]

pub mod workload;

use std::path::Path;

use gemscope_common::Record;
use gemscope_engine::Config;
use gemscope_report::scene::Scene;
use gemscope_report::survey::{Holdings, World};
use gemscope_report::{Context, MissingProbe};
use gemscope_trace::{Definitions, Reader};
use gemscope_tui::{App, Colour, Position, ScanAge, Settings, SliderMark, Status};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{
    Event, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

pub use workload::Machine;

/// Something to look at.
pub struct Show {
    pub scene: Scene,
    pub definitions: Definitions,
    pub context: Context,
    pub holdings: Option<Holdings>,
    pub now_ns: u64,
}

impl Show {
    /// A recorded trace, up to this record.
    pub fn trace(name: &str, upto: usize) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/traces").join(name);
        let mut reader = Reader::open(path).unwrap();
        let header = reader.header().clone();
        let mut context = Context::of_trace(&header, |_| None);
        context.trace = name.to_owned();
        let config = Config {
            profile: header.profile().unwrap(),
            features: header.features().0,
            missing: header.missing_probes().collect(),
            off: header.off_probes().collect(),
            ..Config::default()
        };
        let mut scene = Scene::new(config);
        let (mut all, mut batch): (Vec<Record>, Vec<Record>) = (Vec::new(), Vec::new());
        while reader.next_batch(&mut batch).unwrap().is_some() {
            all.append(&mut batch);
        }
        let upto = upto.min(all.len());
        scene.ingest(&all[..upto], |_, _| {});
        if upto == all.len() {
            scene.finish();
        }
        let now_ns = scene.last_ns();
        Self { scene, definitions: reader.definitions().clone(), context, holdings: None, now_ns }
    }

    pub fn empty() -> Self {
        let context = Context {
            kernel: "6.12.57".into(),
            profile: "v6.12".into(),
            attached: 44,
            missing: vec![MissingProbe {
                probe: "vma-allow".into(),
                reason: "`drm_vma_node_allow` is inlined".into(),
                blind: "create-publication-race cannot be seen".into(),
            }],
            ..Context::default()
        };
        let scene = Scene::new(Config::default());
        Self { scene, definitions: Definitions::new(), context, holdings: None, now_ns: 0 }
    }

    pub fn machine(buffers: u32, names: &[&[u8]]) -> Self {
        let machine = Machine::with(buffers, names);
        let now_ns = machine.scene.last_ns() + 1_000_000_000;
        Self { scene: machine.scene, definitions: machine.definitions, now_ns, ..Self::empty() }
    }

    pub fn world(&self) -> World<'_> {
        self.scene.world(&self.context, &self.definitions, self.holdings.as_ref(), self.now_ns)
    }
}

pub const NAMES: &[&[u8]] = &[b"gnome-shell", b"firefox", b"Xwayland", b"mpv", b"weston", b"kwin_wayland"];

pub fn live() -> Status {
    Status {
        source: "live".into(),
        events_per_s: 1234.0,
        scan: Some(ScanAge { at_ns: 0, unreadable: 0 }),
        ..Status::default()
    }
}

pub fn replay(show: &Show, len: u64) -> Status {
    let seq = show.scene.engine().counts().records;
    let mark = |seq, number| SliderMark { seq, number, certain: true };
    let marks = vec![mark(1, 1), mark(len * 3 / 4, 2)];
    let position = Position {
        seq,
        len,
        ts_ns: show.now_ns,
        start_ns: show.scene.first_ns(),
        end_ns: show.now_ns,
        playing: false,
        speed: 1.0,
        marks,
    };
    Status { source: "leak.gemtrace".into(), position: Some(position), ..Status::default() }
}

/// The monitor with a screen of its own.
pub struct Screen {
    pub app: App,
    pub terminal: Terminal<TestBackend>,
    pub status: Status,
}

impl Screen {
    pub fn new(width: u16, height: u16, settings: Settings, status: Status) -> Self {
        let terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        Self { app: App::new(settings), terminal, status }
    }

    pub fn plain(width: u16, height: u16) -> Self {
        Self::new(width, height, Settings::default(), live())
    }

    /// A refresh and a frame, as a driver makes them.
    pub fn show(&mut self, show: &Show) -> Buffer {
        self.app.refresh(&show.world(), &self.status);
        self.terminal.draw(|f| self.app.draw(f)).unwrap();
        if self.app.wants_refresh() {
            self.app.refresh(&show.world(), &self.status);
            self.terminal.draw(|f| self.app.draw(f)).unwrap();
        }
        self.terminal.backend().buffer().clone()
    }

    /// Presses keys, with a frame after each; `\n` is Enter, `\x1b` is Esc.
    pub fn press(&mut self, show: &Show, keys: &str) -> Buffer {
        let mut last = self.show(show);
        for c in keys.chars() {
            self.app.on_event(&key(match c {
                '\n' => KeyCode::Enter,
                '\x1b' => KeyCode::Esc,
                '\t' => KeyCode::Tab,
                c => KeyCode::Char(c),
            }));
            last = self.show(show);
        }
        last
    }
}

pub fn key(code: KeyCode) -> Event {
    Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

pub fn click(column: u16, row: u16) -> Event {
    let kind = MouseEventKind::Down(MouseButton::Left);
    Event::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
}

pub fn colour(colour: Colour) -> Settings {
    Settings { colour, ..Settings::default() }
}

/// What a screen says, line by line.
pub fn words(buffer: &Buffer) -> String {
    use unicode_width::UnicodeWidthStr;
    let area = buffer.area;
    let mut out = String::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        let mut skip = 0;
        for x in area.left()..area.right() {
            let symbol = buffer[(x, y)].symbol();
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = symbol.width().saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
