//! The codec alone: any records come back, and no bytes make it panic.

use gemscope_common::Record;
use proptest::prelude::*;
use zerocopy::FromBytes;

use super::*;
use crate::sample;

fn roundtrip(records: &[Record]) {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(3).unwrap();
    let raw = encoder.encode(records, &mut bytes).unwrap();
    let mut out = vec![];
    Decoder::new().unwrap().decode(&bytes, records.len(), raw, &mut out).unwrap();
    assert!(out == records, "records came back different");
    // a used encoder makes the same bytes
    let mut again = Vec::new();
    encoder.encode(records, &mut again).unwrap();
    assert!(again == bytes);
}

/// Words as they come: small, pointer-like, extreme, random.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => Just(0u64),
        3 => 0u64..300,
        3 => (0u64..64).prop_map(|n| 0xffff_8880_0010_0000 + n * 0x400),
        1 => (0u64..5).prop_map(|n| u64::MAX - n),
        1 => any::<u64>(),
    ]
}

pub(crate) fn record() -> impl Strategy<Value = Record> {
    let shape = prop_oneof![4 => 0u64..8, 1 => any::<u64>()];
    (prop::array::uniform15(word()), shape).prop_map(|(words, shape)| {
        let mut all: Words = [0; WORDS];
        all[..SHAPE].copy_from_slice(&words[..SHAPE]);
        all[SHAPE] = shape;
        all[SHAPE + 1..].copy_from_slice(&words[SHAPE..]);
        Record::read_from_bytes(zerocopy::IntoBytes::as_bytes(&all)).unwrap()
    })
}

proptest! {
    #[test]
    fn any_records_come_back(records in prop::collection::vec(record(), 0..400)) {
        roundtrip(&records);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), count in 0usize..300) {
        let mut out = Vec::new();
        let _ = Decoder::new().unwrap().decode(&bytes, count, bytes.len(), &mut out);
    }

    /// Column contents that pass the container and mean anything at all.
    #[test]
    fn no_columns_make_it_panic(
        records in prop::collection::vec(record(), 1..60),
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = Vec::new();
        let raw = Encoder::new(3).unwrap().encode(&records, &mut bytes).unwrap();
        let mut decoder = Decoder::new().unwrap();
        let mut out = Vec::new();
        for (at, value) in hits {
            let at = at.index(bytes.len());
            bytes[at] = value;
            let _ = decoder.decode(&bytes, records.len(), raw, &mut out);
        }
    }
}

#[test]
fn the_sample_comes_back_at_every_size() {
    let records: Vec<Record> = sample::Workload::default().take(5000).collect();
    for len in [0, 1, 2, 3, 100, 4999, 5000] {
        roundtrip(&records[..len]);
    }
}

#[test]
fn many_threads_templates_and_values_come_back() {
    let mut seed = 1u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.rotate_right(11)
    };
    let records: Vec<Record> = (0..65_536)
        .map(|i| {
            let mut words: Words = [0; WORDS];
            for word in &mut words {
                if random() % 3 == 0 {
                    *word = random();
                }
            }
            words[THREAD] = if i % 2 == 0 { i } else { 7 };
            Record::read_from_bytes(zerocopy::IntoBytes::as_bytes(&words)).unwrap()
        })
        .collect();
    roundtrip(&records);
}

#[test]
fn ops_come_back_from_their_numbers() {
    let mut valid = 0;
    for value in 0..1u32 << 24 {
        if let Some(op) = Op::unpack(value) {
            assert_eq!(op.pack(), value);
            valid += 1;
        }
    }
    assert!(valid > 0);
}
