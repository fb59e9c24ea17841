//! `gemscope export --format perfetto` end to end: a file on disk, decoded, told and encoded.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gemscope_trace::sample::Workload;
use gemscope_trace::{TraceHeader, Writer};

const RECORDS: usize = 1_000_000;

fn trace() -> PathBuf {
    let path = std::env::temp_dir().join(format!("gemscope-export-{}.gemtrace", std::process::id()));
    let header = TraceHeader { profile: "v6.2".to_owned(), ..TraceHeader::default() };
    let mut writer = Writer::create(&path, &header).unwrap();
    for record in Workload::default().take(RECORDS) {
        writer.write(&record).unwrap();
    }
    writer.finish().unwrap();
    path
}

fn export(c: &mut Criterion) {
    let path = trace();
    let mut group = c.benchmark_group("export");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for format in ["perfetto", "jsonl", "csv"] {
        group.bench_function(format, |b| {
            b.iter(|| {
                let mut command = Command::new(env!("CARGO_BIN_EXE_gemscope"));
                let status =
                    command.arg("export").arg(&path).args(["-f", format, "-o", "/dev/null"]).status();
                assert!(status.unwrap().success());
            });
        });
    }
    group.finish();
    std::fs::remove_file(path).unwrap();
}

criterion_group!(benches, export);
criterion_main!(benches);
