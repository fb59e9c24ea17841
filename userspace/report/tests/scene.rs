//! What is shown of recordings of real kernels: happenings, tables, graphs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gemscope_engine::{Config, What};
use gemscope_report::Context;
use gemscope_report::graph::{Graph, Node};
use gemscope_report::happening::Happening;
use gemscope_report::scene::Scene;
use gemscope_report::survey::{Survey, World};
use gemscope_trace::{Definitions, Reader};

struct Played {
    scene: Scene,
    context: Context,
    definitions: Definitions,
    told: Vec<Happening>,
}

impl Played {
    fn world(&self) -> World<'_> {
        self.scene.world(&self.context, &self.definitions, None, self.scene.last_ns())
    }
}

fn traces() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/traces")
}

/// Plays a recording up to the record with this number, or to the end.
fn play(path: &Path, until: usize) -> Played {
    let mut reader = Reader::open(path).unwrap();
    let header = reader.header().clone();
    let config = Config {
        profile: header.profile().unwrap(),
        features: header.features().0,
        missing: header.missing_probes().collect(),
        off: header.off_probes().collect(),
        ..Config::default()
    };
    let mut scene = Scene::new(config);
    let (mut records, mut left, mut told) = (Vec::new(), until, Vec::new());
    while left > 0 && reader.next_batch(&mut records).unwrap().is_some() {
        records.truncate(left);
        left -= records.len();
        scene.ingest(&records, |_, happening| told.push(*happening));
    }
    let context = Context::of_trace(&header, |_| None);
    Played { scene, context, definitions: reader.definitions().clone(), told }
}

fn line(h: &Happening) -> String {
    let mut s = h.what.text().to_owned();
    for (name, number) in [("f", h.file), ("h", h.handle), ("o", h.object), ("d", h.dmabuf)] {
        if number != 0 {
            let _ = write!(s, " {name}{number}");
        }
    }
    if h.fd >= 0 {
        s.push_str(" fd");
    }
    s
}

fn walk(graph: &Graph, world: &World<'_>) -> Vec<String> {
    let name = |n: &Node| match n {
        Node::Object(e) | Node::Dmabuf(e) | Node::Handle(e) => format!("{e:?}"),
        Node::Fd(tgid, _) => format!("fd of {}", world.comm(*tgid)),
        other => format!("{other:?}"),
    };
    let edge = |e: &gemscope_report::graph::Edge| {
        format!("{} {} {}", name(&graph.nodes[e.from]), e.tie.name(), name(&graph.nodes[e.to]))
    };
    graph.edges.iter().map(edge).collect()
}

/// What two files sharing a buffer do, on two kernels; handles twice given out; a dma-buf that no GEM driver made; what a
/// closing file finds.
#[test]
fn happenings_of_real_kernels() {
    let mut text = String::new();
    for name in ["5.10/six-step", "newest/six-step", "5.10/s5", "newest/s12", "6.12/forget-gem-close"] {
        writeln!(text, "== {name}").unwrap();
        for h in &play(&traces().join(format!("{name}.gemtrace")), usize::MAX).told {
            writeln!(text, "{:>5} {}", h.at.seq, line(h)).unwrap();
        }
    }
    snapbox::assert_data_eq!(text, snapbox::file!["golden/happenings.txt"]);
}

/// The record after which the import has given its handle, and everything of a shared buffer lives.
const SHARED: usize = 40;

#[test]
fn two_files_that_share_a_buffer_are_one_row() {
    let played = play(&traces().join("newest/six-step.gemtrace"), SHARED);
    let survey = Survey::of(&played.world());
    let [row] = &survey.buffers[..] else { panic!("{:?}", survey.buffers) };
    assert_eq!((row.object, row.dmabuf, row.importers.as_slice()), (1, 1, &[2][..]));
    assert_eq!((row.handles, row.fds, row.attachments), (2, 0, 1), "the fd was closed again");
    assert_eq!(survey.totals.bytes, row.size, "counted once");
    assert_eq!((survey.totals.handles, survey.totals.files), (2, 2));
    let [process] = &survey.processes[..] else { panic!("{:?}", survey.processes) };
    assert_eq!((process.own, process.shared, process.handles), (row.size, 0, 2));
    assert_eq!(played.world().comm(process.tgid), "gemclient");
    let sites: Vec<_> = survey.sites.iter().map(|s| (s.kind.name(), s.count)).collect();
    assert_eq!(sites, [("handle", 1), ("handle", 1), ("attachment", 1)]);
    let graph = Graph::live(played.scene.engine(), row.key(), &row.importers);
    let text = walk(&graph, &played.world()).join("\n");
    snapbox::assert_data_eq!(text, snapbox::file!["golden/graph.txt"]);
    let (story, left_out) = played.scene.chronicle().story(&row.subjects());
    assert_eq!((story.len(), left_out), (11, 0));
    assert_eq!(story.first().map(|h| h.what), Some(What::Born));
    assert_eq!(played.scene.chronicle().last(&row.subjects()).map(|h| h.what), Some(What::FdClosed));
}

/// Over all recordings: tables agree with the ledger at any moment, and every birth that is told ends at most once.
#[test]
fn tables_agree_with_the_ledger() {
    for kernel in ["5.10", "6.1", "6.12", "6.18", "newest"] {
        for entry in std::fs::read_dir(traces().join(kernel)).unwrap() {
            let path = entry.unwrap().path();
            for until in [usize::MAX, 60, 31] {
                agrees(&path, until);
            }
        }
    }
}

fn agrees(path: &Path, until: usize) {
    let played = play(path, until);
    let (engine, survey) = (played.scene.engine(), Survey::of(&played.world()));
    let counts = engine.counts();
    let (ctx, buffers) = (path.display(), &survey.buffers);
    assert_eq!(engine.handles().count(), counts.handles, "{ctx}");
    let handles: u32 = buffers.iter().map(|b| b.handles).sum();
    assert_eq!(handles as usize, counts.handles, "{ctx}");
    assert_eq!(survey.processes.iter().map(|p| p.handles).sum::<u32>() as usize, counts.handles, "{ctx}");
    let importers: usize = buffers.iter().map(|b| b.importers.len()).sum();
    let own = buffers.iter().filter(|b| b.object != 0).count();
    assert_eq!(importers + own, counts.objects, "{ctx}");
    assert_eq!(buffers.iter().filter(|b| b.dmabuf != 0).count(), counts.dmabufs, "{ctx}");
    let held: u64 = survey.processes.iter().map(|p| p.own).sum();
    assert!(held <= survey.totals.bytes, "{ctx}");
    for row in buffers {
        let (story, _) = played.scene.chronicle().story(&row.subjects());
        assert!(story.is_sorted_by_key(|h| h.at.seq), "{ctx}");
        if row.born.is_known() {
            assert!(!story.is_empty(), "{ctx}: {row:?}");
        }
        let graph = Graph::live(engine, row.key(), &row.importers);
        assert!(graph.edges.iter().all(|e| e.from < graph.nodes.len() && e.to < graph.nodes.len()));
    }
    let ends = |what| played.told.iter().filter(|h| h.what == what).count();
    assert!(ends(What::Died) <= ends(What::Born) + counts.pre_existing as usize, "{ctx}");
    assert!(ends(What::Released) <= ends(What::Exported) + counts.pre_existing as usize, "{ctx}");
}

/// A look at all processes says who holds a dma-buf, whatever became of the fd that was given out.
#[test]
fn a_scan_tells_who_holds() {
    use gemscope_common::{SeenFd, seen};
    use gemscope_report::survey::Holdings;
    let played = play(&traces().join("newest/six-step.gemtrace"), SHARED);
    let ino = played.scene.engine().dmabuf(1).unwrap().ino;
    let fd = |tgid, fd| SeenFd { ino, size: 4096, tgid, fd, kind: seen::FD, at_start: 0 };
    let mapping = SeenFd { kind: seen::MAPPING, ..fd(8, -1) };
    let holdings = Holdings::new(&[fd(7, 3), fd(7, 4), fd(7, 4), mapping], u64::MAX, 0);
    let mut world = played.world();
    world.holdings = Some(&holdings);
    let survey = Survey::of(&world);
    assert_eq!((survey.buffers[0].fds, survey.buffers[0].maps), (2, 1));
    let process = |tgid| survey.processes.iter().find(|p| p.tgid == tgid).unwrap();
    assert_eq!((process(7).fds, process(7).dmabufs, process(8).maps), (2, 1, 1));
    assert_eq!(process(7).shared, survey.totals.bytes);
}

/// What processes hold since before the trace is shown too, and goes when it is gone.
#[test]
fn what_is_older_than_the_trace_is_shown() {
    use gemscope_common::{Phase, ProbeId, Record, SeenFd, seen};
    use gemscope_report::chronicle::Subject;
    use gemscope_report::survey::Holdings;
    let mut scene = Scene::new(Config::default());
    let fd = |ino, tgid, kind| SeenFd { ino, size: 4096, tgid, fd: 3, kind, at_start: 1 };
    let records = [fd(7, 20, seen::FD), fd(8, 0, seen::ALIVE), fd(9, 21, seen::FD)];
    let records = records.map(|p| Record::new(ProbeId::SeenFd, Phase::Point, &p));
    scene.ingest(&records, |_, _| {});
    let (context, definitions) = (Context::default(), Definitions::new());
    let rows = |holdings: Option<&Holdings>| {
        let survey = Survey::of(&scene.world(&context, &definitions, holdings, 0));
        assert_eq!(survey.totals.buffers, survey.buffers.len());
        survey.buffers.iter().map(|b| (b.key(), b.fds, b.processes.to_vec())).collect::<Vec<_>>()
    };
    let (seven, eight) = ((Subject::Inode(7), 1, vec![20]), (Subject::Inode(8), 0, vec![]));
    assert_eq!(rows(None), [seven.clone(), eight.clone(), (Subject::Inode(9), 1, vec![21])]);
    // A later look: 9 is gone, 10 is new.
    let later = Holdings::new(&[fd(7, 20, seen::FD), fd(10, 22, seen::FD)], 5, 0);
    assert_eq!(rows(Some(&later)), [seven, eight, (Subject::Inode(10), 1, vec![22])]);
}

/// Names from outside cannot steer the terminal that the tables are printed on, nor take it over by their length.
#[test]
fn hostile_names_are_harmless_in_tables() {
    use gemscope_common::{Phase, ProbeId, Process, Record, SeenFd, seen};
    use gemscope_report::text::{self, Palette};
    use gemscope_trace::Definition;
    let mut scene = Scene::new(Config::default());
    let mut comm = [0; 16];
    comm[..14].copy_from_slice(b"\x1b[2J\xe2\x80\xaeab\n\x07\xff<b");
    let mut exec = Record::new(ProbeId::Exec, Phase::Point, &Process { comm, ..Process::default() });
    exec.header.tgid = 20;
    let fd = |tgid| SeenFd { ino: u64::from(tgid), size: 4096, tgid, fd: 3, kind: seen::FD, at_start: 1 };
    let seen = [20, 21].map(|tgid| Record::new(ProbeId::SeenFd, Phase::Point, &fd(tgid)));
    scene.ingest(&[exec], |_, _| {});
    scene.ingest(&seen, |_, _| {});
    let mut definitions = Definitions::new();
    let long = "\u{202e}x".repeat(5000);
    let process =
        gemscope_trace::Process { tgid: 21, comm: long.into(), ..gemscope_trace::Process::default() };
    definitions.add(Definition::Process(process));
    let context = Context::default();
    let mut out = String::new();
    text::survey(&mut out, &scene.world(&context, &definitions, None, 0), 0, &Palette::plain()).unwrap();
    assert!(out.contains("\\x1b[2J") && out.contains("\\u{202e}"), "{out}");
    assert!(!out.chars().any(|c| c != '\n' && gemscope_report::escape::is_hostile(c)), "{out}");
    assert!(out.len() < 2000, "{}", out.len());
}
