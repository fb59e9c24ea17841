//! A source of records played into a [`Scene`]: the judgement, and everything that pages and tables show beside it.
//!
//! What it is not for: verdicts alone. `source` is cheaper for them.

use std::path::Path;

use gemscope_common::{ProbeId, Record, Scope};
use gemscope_report::happening::Happening;
use gemscope_report::scene::Scene;
use gemscope_report::{Context, Judgement};
use gemscope_trace::{Definitions, Reader, TraceHeader};

use crate::pipeline::at_exit_word;
use crate::source::{self, Options, Taker};

/// A source that has been played.
pub struct Played {
    /// the machine's buffers at the end
    pub scene: Scene,
    /// what was judged
    pub judgement: Judgement,
    /// what the source says about itself
    pub context: Context,
    /// names of processes, stacks, symbols
    pub definitions: Definitions,
    /// the source's own header
    pub header: TraceHeader,
}

/// Plays records as they come: once, forward. Who goes back and forth is `top`.
pub struct OnePass {
    scene: Scene,
    scope: Option<Scope>,
    at_exit: Option<u32>,
    context: Context,
    header: TraceHeader,
}

impl OnePass {
    /// One that has seen nothing.
    #[must_use]
    pub fn new(header: TraceHeader, options: &Options) -> Self {
        let mut context = source::context(&header);
        let scene = Scene::new(source::config(&header, options, &mut context));
        Self { scene, scope: None, at_exit: options.at_exit, context, header }
    }

    /// Takes in records, in order.
    pub fn ingest(&mut self, records: &[Record], told: &mut dyn FnMut(&Happening)) {
        for record in records.iter().filter(|r| r.header.probe == ProbeId::Scope as u16) {
            self.scope = Some(*record.payload());
        }
        self.scene.ingest(records, |_, happening| told(happening));
    }

    /// The input has ended.
    #[must_use]
    pub fn finish(mut self, definitions: Definitions) -> Played {
        self.scene.finish();
        let context = &mut self.context;
        if context.start_ns == 0 {
            context.start_ns = self.scene.first_ns();
        }
        let at_exit = self.at_exit.or(self.scope.map(|s| s.at_exit));
        at_exit_word(at_exit.unwrap_or(gemscope_common::scope::IGNORE)).clone_into(&mut context.at_exit);
        context.root_pid = self.scope.map_or(0, |s| s.root_tgid);
        context.notes.extend(definitions.texts().iter().map(|t| t.to_str_lossy().into_owned()));
        Played {
            judgement: Judgement::of(self.scene.engine()),
            scene: self.scene,
            context: self.context,
            definitions,
            header: self.header,
        }
    }
}

/// Plays a trace, to its end or to the record of number `until`.
///
/// # Errors
/// The trace cannot be read, or nothing of it can.
pub fn trace(path: &Path, options: &Options, told: &mut dyn FnMut(&Happening)) -> anyhow::Result<Played> {
    let reader = Reader::open(path)?;
    let mut player = OnePass::new(reader.header().clone(), options);
    let mut context = std::mem::take(&mut player.context);
    context.trace = path.to_string_lossy().into_owned();
    let definitions =
        source::read(reader, options.until, &mut context, &mut Telling { player: &mut player, told })?;
    player.context = context;
    Ok(player.finish(definitions))
}

/// A pass whose happenings are told.
struct Telling<'a> {
    player: &'a mut OnePass,
    told: &'a mut dyn FnMut(&Happening),
}

impl Taker for Telling<'_> {
    fn gap(&mut self) {
        self.player.scene.gap();
    }

    fn take(&mut self, records: &[Record], _: &Definitions) -> anyhow::Result<()> {
        self.player.ingest(records, self.told);
        Ok(())
    }
}
