//! `gemscope replay` end to end: a file on disk, decoded, judged and named, with 100,000 live buffers.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gemscope_cli::source::{self, Options};
use gemscope_trace::sample::{Shape, Workload};
use gemscope_trace::{Reader, TraceHeader, Writer};

const RECORDS: usize = 4_000_000;
const THREADS: usize = 20;
const BUFFERS: usize = 100_000;

fn trace() -> PathBuf {
    let path = std::env::temp_dir().join(format!("gemscope-bench-{}.gemtrace", std::process::id()));
    let header = TraceHeader { profile: "v6.2".to_owned(), ..TraceHeader::default() };
    let mut writer = Writer::create(&path, &header).unwrap();
    let shape = Shape { threads: THREADS, live: BUFFERS / THREADS, ..Shape::default() };
    for record in Workload::new(shape).take(RECORDS) {
        writer.write(&record).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn replay(c: &mut Criterion) {
    let path = trace();
    let judged = source::judge(Reader::open(&path).unwrap(), "bench", &Options::default()).unwrap();
    // A workload that breaks rules would measure the reports.
    assert_eq!(judged.judgement().findings.len(), 0);
    let mut group = c.benchmark_group("replay");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function("file of 100,000 live buffers", |b| {
        b.iter(|| {
            let judged = source::judge(Reader::open(&path).unwrap(), "bench", &Options::default()).unwrap();
            assert_eq!(judged.judgement().counts.records, RECORDS as u64);
            black_box(judged.judgement().findings.len())
        });
    });
    group.finish();
    std::fs::remove_file(path).unwrap();
}

criterion_group!(benches, replay);
criterion_main!(benches);
