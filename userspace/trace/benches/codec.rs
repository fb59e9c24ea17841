//! How fast traces are written and read, and how large they are. `cargo bench -p gemscope-trace`
//!
//! Printed first: bytes a record, with pseudonyms and with raw addresses, for several workloads; and the processor time
//! a record takes, which says more than the wall time where the machine is shared.

use std::hint::black_box;
use std::io::{self, Cursor};

use criterion::{Criterion, Throughput};
use gemscope_common::Record;
use gemscope_trace::sample::{Shape, Workload};
use gemscope_trace::{Flight, PrefetchReader, Reader, TraceHeader, Writer};

const RECORDS: usize = 400_000;

fn header(raw_addresses: bool) -> TraceHeader {
    TraceHeader { raw_addresses, ..TraceHeader::default() }
}

fn written(records: &[Record], raw_addresses: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = (|| {
        let mut writer = Writer::new(&mut bytes, &header(raw_addresses))?;
        records.iter().try_for_each(|record| writer.write(record))?;
        writer.finish()
    })();
    match written {
        Ok(_) => bytes,
        Err(error) => panic!("{error}"),
    }
}

fn read(bytes: &[u8]) -> u64 {
    let mut out = Vec::new();
    let mut count = 0;
    let done = (|| {
        let mut reader = Reader::new(Cursor::new(bytes), "memory")?;
        while reader.next_batch(&mut out)?.is_some() {
            count += out.len() as u64;
            black_box(&out);
        }
        Ok::<_, gemscope_trace::TraceError>(())
    })();
    assert!(done.is_ok());
    count
}

fn sizes() {
    let shapes = [
        ("4 threads, 1,000 live buffers", Shape::default()),
        ("4 threads, 100,000 live buffers", Shape { live: 25_000, ..Shape::default() }),
        ("1 thread, 1 live buffer", Shape { threads: 1, live: 1, ..Shape::default() }),
        ("64 threads, 6,400 live buffers", Shape { threads: 64, live: 100, ..Shape::default() }),
    ];
    println!("bytes a record (goal 12):            pseudonyms  raw addresses");
    let short: Vec<Record> = Workload::default().take(2000).collect();
    let size = |raw| written(&short, raw).len() as f64 / short.len() as f64;
    println!("  {:34} {:10.2} {:14.2}", "a trace of 2,000 records in all", size(false), size(true));
    for (name, shape) in shapes {
        // Past the build-up of the live set.
        let skip = if shape.live > 1000 { shape.live * shape.threads * 27 } else { 0 };
        let records: Vec<Record> = Workload::new(shape).skip(skip).take(RECORDS).collect();
        let size = |raw| written(&records, raw).len() as f64 / records.len() as f64;
        println!("  {name:34} {:10.2} {:14.2}", size(false), size(true));
    }
}

/// Processor time of this thread, ns.
fn cpu_ns() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
}

/// The least processor time of some runs, ns a record.
fn least(mut run: impl FnMut()) -> f64 {
    let once = |_| {
        let start = cpu_ns();
        run();
        (cpu_ns() - start) / RECORDS as f64
    };
    (0..7).map(once).fold(f64::INFINITY, f64::min)
}

fn processor_time() {
    let shape = Shape { live: 25_000, ..Shape::default() };
    let records: Vec<Record> = Workload::new(shape).skip(27 * 100_000).take(RECORDS).collect();
    let bytes = written(&records, false);
    println!("processor time a record, 100,000 live buffers:");
    println!("  write, pseudonyms     {:6.1} ns", least(|| drop(written(&records, false))));
    println!("  write, raw addresses  {:6.1} ns", least(|| drop(written(&records, true))));
    println!("  read                  {:6.1} ns", least(|| assert_eq!(read(&bytes), RECORDS as u64)));
    flight(&records);
}

/// What a record costs where nothing is kept, where it goes to a file, and in a flight recorder of the size of 64 MiB and of 1 MiB.
fn flight(records: &[Record]) {
    let none = least(|| {
        records.iter().for_each(|record| {
            black_box(*record);
        })
    });
    let path = std::env::temp_dir().join(format!("gemscope-bench-{}.gemtrace", std::process::id()));
    let file = least(|| {
        let written = Writer::create(&path, &header(false)).and_then(|mut writer| {
            records.iter().try_for_each(|record| writer.write(record))?;
            writer.finish()
        });
        assert!(written.is_ok());
    });
    drop(std::fs::remove_file(&path));
    println!("  no output             {none:6.1} ns");
    println!("  file                  {file:6.1} ns");
    for megabytes in [64, 1] {
        let ring = least(|| {
            let kept = Flight::new(megabytes << 20, false)
                .and_then(|mut flight| records.iter().try_for_each(|record| flight.write(record)));
            assert!(kept.is_ok());
        });
        let ratio = ring / file;
        println!("  flight ring, {megabytes:2} MiB   {ring:6.1} ns, {ratio:.2} times the file's");
    }
}

fn speed(criterion: &mut Criterion) {
    let shape = Shape { live: 25_000, ..Shape::default() };
    let records: Vec<Record> = Workload::new(shape).skip(27 * 100_000).take(RECORDS).collect();
    let mut group = criterion.benchmark_group("trace");
    group.throughput(Throughput::Elements(RECORDS as u64)).sample_size(10);
    for (name, raw) in [("write, pseudonyms", false), ("write, raw addresses", true)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let writer = Writer::new(io::sink(), &header(raw));
                let written = writer.and_then(|mut writer| {
                    records.iter().try_for_each(|record| writer.write(record))?;
                    writer.finish()
                });
                assert!(written.is_ok());
            });
        });
    }
    let bytes = written(&records, false);
    group.bench_function("read, one thread", |bencher| {
        bencher.iter(|| assert_eq!(read(&bytes), RECORDS as u64));
    });
    group.bench_function("read ahead in a second thread", |bencher| {
        bencher.iter(|| {
            let opened = Reader::new(Cursor::new(bytes.clone()), "memory").and_then(PrefetchReader::new);
            let (mut out, mut count) = (Vec::new(), 0);
            if let Ok(mut reader) = opened {
                while let Ok(Some(_)) = reader.next_batch(&mut out) {
                    count += out.len();
                    black_box(&out);
                }
            }
            assert_eq!(count, RECORDS);
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    sizes();
    processor_time();
    speed(&mut criterion);
    criterion.final_summary();
}
