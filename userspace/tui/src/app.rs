//! The state of the monitor, and how it follows the world.

use gemscope_engine::{Engine, Entity};
use gemscope_report::chronicle::Subject;
use gemscope_report::survey::{Survey, World};
use gemscope_report::{Judgement, text as report_text};
use ratatui::layout::Rect;
use rustc_hash::FxHashMap;

use crate::growth::{Growth, Mark, SiteKey};
use crate::head::Head;
use crate::help;
use crate::interface::{Settings, Status};
use crate::lens::{self, Lens};
use crate::page::{Line, Page};
use crate::table::{Column, Table};
use crate::text;
use crate::theme::{Theme, Tone};
use crate::views::buffer_page::BufferPage;
use crate::views::buffers::Buffers;
use crate::views::findings::Findings;
use crate::views::processes::Processes;
use crate::views::sites::Sites;
use crate::views::{Sight, buffers, findings, processes, site_page, sites};

/// What is on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    #[default]
    Processes,
    Buffers,
    Findings,
    Sites,
    /// one buffer: [`App::buffer`]
    Buffer,
}

impl View {
    pub const ALL: [Self; 5] = [Self::Processes, Self::Buffers, Self::Findings, Self::Sites, Self::Buffer];

    pub const fn title(self) -> &'static str {
        match self {
            Self::Processes => "Processes",
            Self::Buffers => "Buffers",
            Self::Findings => "Findings",
            Self::Sites => "Call sites",
            Self::Buffer => "Buffer",
        }
    }
}

/// A page that lies over a table.
#[derive(Clone, Debug)]
pub(crate) enum Detail {
    Finding(u32, Page),
    Site(SiteKey, Page),
}

/// What a place on the screen does when it is clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    Tab(usize),
    Head(usize),
    Row(usize),
    Line(usize),
    Slider,
}

/// The monitor.
#[derive(Debug)]
pub struct App {
    pub(crate) settings: Settings,
    pub(crate) theme: Theme,
    pub(crate) view: View,
    /// where Esc leads from the buffer page
    pub(crate) came_from: View,
    pub(crate) processes: Processes,
    pub(crate) buffers: Buffers,
    pub(crate) findings: Findings,
    pub(crate) sites: Sites,
    pub(crate) buffer: Option<BufferPage>,
    pub(crate) detail: Option<Detail>,
    pub(crate) help: Option<Page>,
    /// the filter is being typed
    pub(crate) typing: bool,
    pub(crate) paused: bool,
    pub(crate) mark: Option<Mark>,
    pub(crate) mark_asked: bool,
    pub(crate) status: Status,
    pub(crate) head: Head,
    pub(crate) zones: Vec<(Rect, Zone)>,
    pub(crate) track: Rect,
    pub(crate) size: (u16, u16),
    pub(crate) wants: bool,
    /// sort, filter or scope were changed since the last refresh
    pub(crate) changed: bool,
    /// an open buffer that was asked for by its key
    pub(crate) opening: Option<Subject>,
    pub(crate) counts: [usize; 4],
    survey: Survey,
    /// what the survey was made from: records, scan
    surveyed: Option<(u64, u64, u64)>,
    surveyed_ns: u64,
    growth: Growth,
    accused: FxHashMap<Subject, u32>,
    accused_of: usize,
    /// findings and near misses that there were
    most: (usize, usize),
    blind: Vec<Line>,
    now_ns: u64,
}

impl App {
    /// A monitor that has not seen anything yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            theme: Theme(settings.colour),
            view: View::default(),
            came_from: View::Buffers,
            processes: Processes::default(),
            buffers: Buffers::default(),
            findings: Findings::default(),
            sites: Sites::default(),
            buffer: None,
            detail: None,
            help: None,
            typing: false,
            paused: false,
            mark: None,
            mark_asked: false,
            status: Status::default(),
            head: Head::default(),
            zones: Vec::new(),
            track: Rect::default(),
            size: (80, 24),
            wants: true,
            changed: true,
            opening: None,
            counts: [0; 4],
            survey: Survey::default(),
            surveyed: None,
            surveyed_ns: 0,
            growth: Growth::default(),
            accused: FxHashMap::default(),
            accused_of: 0,
            most: (0, 0),
            blind: Vec::new(),
            now_ns: 0,
        }
    }

    /// Is the picture held still, while the world goes on?
    pub(crate) const fn held(&self) -> bool {
        self.paused && !self.settings.replay
    }

    /// Does what is shown have to be taken from the world again?
    #[must_use]
    pub const fn wants_refresh(&self) -> bool {
        self.wants
    }

    /// Copies what the current view shows out of the world.
    pub fn refresh(&mut self, world: &World<'_>, status: &Status) {
        self.wants = false;
        let engine = world.engine;
        if self.held() {
            // What the picture shows was so; that it is held, and messages, are of now.
            self.status.message.clone_from(&status.message);
            self.status.ended = status.ended;
        } else {
            self.status.clone_from(status);
            if self.settings.replay {
                self.paused = status.position.as_ref().is_some_and(|p| !p.playing);
            }
            self.now_ns = world.now_ns;
            let scan = world.holdings.map_or(0, |h| h.at_ns);
            let from = (engine.counts().records, scan, engine.counts().drops);
            if self.surveyed != Some(from) && self.is_time(world.now_ns) {
                self.surveyed_ns = world.now_ns;
                self.survey = std::mem::take(&mut self.survey).renew(world);
                self.surveyed = Some(from);
                self.changed = true;
            }
            self.growth.note(&self.survey, self.now_ns);
            self.most = (engine.findings().len(), engine.near_misses().len());
            self.accuse(engine);
        }
        if std::mem::take(&mut self.mark_asked) {
            self.mark = Some(Mark::of(&self.survey, self.most.0, self.now_ns));
            self.changed = true;
        }
        if !self.held() {
            let (survey, mark) = (&self.survey, self.mark.as_ref());
            self.head = Head::of(world, &self.status, survey, mark, self.now_ns);
        }
        self.counts =
            [self.survey.processes.len(), self.survey.buffers.len(), self.most.0, self.survey.sites.len()];
        if self.help.is_some() {
            self.blind = help::blind(world);
            self.fill_help();
        }
        self.refresh_view(world);
        self.changed = false;
    }

    fn refresh_view(&mut self, world: &World<'_>) {
        let fresh = self.changed;
        let columns = usize::from(self.size.0);
        let mut judgement = Judgement::default();
        if let Some(key) = self.opening.take()
            && let Some(buffer) = self.survey.buffers.iter().find(|b| b.key() == key)
        {
            self.buffer = Some(BufferPage::new(buffer));
        }
        let held = self.held();
        if self.view == View::Buffer
            && let Some(page) = &mut self.buffer
        {
            page.look(world, &self.survey.buffers, held);
            page.processes().for_each(|tgid| lens::know(&mut judgement, world.engine, tgid));
        }
        if let Some(Detail::Finding(number, _)) = &self.detail {
            judgement = Judgement::of_one(world.engine, *number);
        }
        let sight = Sight {
            lens: Lens::new(world, &judgement, self.now_ns),
            survey: &self.survey,
            growth: &self.growth,
            mark: self.mark.as_ref(),
            accused: &self.accused,
        };
        match &mut self.detail {
            Some(Detail::Finding(number, page)) => {
                let told = report_text::finding_text(&sight.lens.names, *number);
                page.set(finding_lines(&told, columns), Vec::new());
                return;
            }
            Some(Detail::Site(key, page)) => {
                page.set(site_page::lines(&sight, key, columns), Vec::new());
                return;
            }
            None => {}
        }
        match self.view {
            View::Processes => self.processes.refresh(&sight),
            View::Buffers => self.buffers.refresh(&sight, fresh),
            View::Findings => self.findings.refresh(&sight, self.most),
            View::Sites => self.sites.refresh(&sight),
            View::Buffer => {
                if let Some(page) = &mut self.buffer {
                    page.refresh(&sight, columns);
                }
            }
        }
    }

    /// Looking at everything is the dear part of a frame: on a busy machine keys are answered from the last look, which is a
    /// quarter of a second old at most. A replay is always exact.
    const fn is_time(&self, now_ns: u64) -> bool {
        const EVERY_NS: u64 = 250_000_000;
        self.settings.replay
            || self.surveyed.is_none()
            || now_ns < self.surveyed_ns
            || now_ns - self.surveyed_ns >= EVERY_NS
    }

    /// Notes which buffers findings are about.
    fn accuse(&mut self, engine: &Engine) {
        let findings = engine.findings();
        if findings.len() < self.accused_of {
            // A replay was turned back.
            self.accused.clear();
            self.accused_of = 0;
        }
        for f in findings.get(self.accused_of..).unwrap_or_default() {
            let subject = match f.entity {
                Entity::Object { id, .. } => Subject::Object(id),
                Entity::Handle { object, .. } => Subject::Object(object),
                Entity::DmaBuf { id, .. } => Subject::Dmabuf(id),
                Entity::File { .. } | Entity::Framebuffer { .. } => continue,
            };
            if !matches!(subject, Subject::Object(0) | Subject::Dmabuf(0)) {
                self.accused.insert(subject, f.number);
            }
        }
        self.accused_of = findings.len();
    }

    /// The table of the view, and its columns.
    pub(crate) fn table(&mut self) -> Option<(&mut Table, &'static [Column])> {
        match self.view {
            View::Processes => Some((&mut self.processes.table, processes::COLUMNS)),
            View::Buffers => Some((&mut self.buffers.table, buffers::COLUMNS)),
            View::Findings => Some((&mut self.findings.table, findings::COLUMNS)),
            View::Sites => Some((&mut self.sites.table, sites::COLUMNS)),
            View::Buffer => None,
        }
    }

    /// The page that can be scrolled, if one is open.
    pub(crate) fn page(&mut self) -> Option<&mut Page> {
        if let Some(page) = &mut self.help {
            return Some(page);
        }
        match (&mut self.detail, self.view) {
            (Some(Detail::Finding(_, page) | Detail::Site(_, page)), _) => Some(page),
            (None, View::Buffer) => self.buffer.as_mut().map(|b| &mut b.page),
            _ => None,
        }
    }

    /// Makes the lines of the help.
    pub(crate) fn fill_help(&mut self) {
        let columns = usize::from(self.size.0);
        if let Some(page) = &mut self.help {
            page.set(help::lines(self.settings.replay, &self.blind, columns), Vec::new());
        }
    }

    /// The bytes that all sites, buffers and processes were counted from are of this moment.
    #[cfg(test)]
    pub(crate) const fn survey(&self) -> &Survey {
        &self.survey
    }
}

/// A finding's text as lines: labels stand apart, long lines are folded under their own text.
fn finding_lines(told: &str, columns: usize) -> Vec<Line> {
    const INDENT: usize = 14;
    let mut out = Vec::new();
    if told.is_empty() {
        out.push(Line::new("this finding is not there any more", Tone::Faint));
    }
    // Prose that was wrapped for a wider page is made one line again.
    let mut whole: Vec<String> = Vec::new();
    for line in told.lines() {
        let indent = line.len() - line.trim_start().len();
        match whole.last_mut() {
            Some(last) if indent == INDENT && last.starts_with("   what to do") => {
                last.push(' ');
                last.push_str(line.trim_start());
            }
            _ => whole.push(line.to_owned()),
        }
    }
    for (i, line) in whole.iter().enumerate() {
        let own = line.len() - line.trim_start().len();
        let label = line.get(3..INDENT).is_some_and(|l| l.starts_with(|c: char| c.is_ascii_lowercase()));
        let indent = if label { INDENT } else { own + 2 };
        for (j, part) in text::fold(line, columns.saturating_sub(1), indent).into_iter().enumerate() {
            out.push(match (i, j, label) {
                (0, ..) => Line::new(part, Tone::Strong),
                (_, 0, true) => {
                    let (label, rest) = part.split_at_checked(INDENT).unwrap_or((part.as_str(), ""));
                    Line::new(label, Tone::Accent).and(rest, Tone::Plain)
                }
                _ => Line::new(part, Tone::Plain),
            });
        }
    }
    out
}
