//! Unpacking of kernel images and modules, by their magic numbers. The size of the result is bounded.

use std::borrow::Cow;
use std::io::Read;

/// No kernel image or module is larger than this when unpacked, in bytes.
pub const MAX_UNPACKED: u64 = 1 << 30;

/// Why bytes could not be unpacked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The format is known and not supported.
    #[error("compressed with `{0}`, which is not supported: give the uncompressed file")]
    Unsupported(&'static str),
    /// The data are damaged.
    #[error("damaged `{format}` data: {reason}")]
    Damaged {
        /// the format
        format: &'static str,
        /// what the decoder said
        reason: String,
    },
    /// The result would be larger than [`MAX_UNPACKED`].
    #[error("unpacks to more than `{MAX_UNPACKED}` bytes")]
    TooLarge,
}

/// Unpacks gzip, xz, zstd and lz4 (legacy frames, as the kernel makes them); anything else is returned as it is.
///
/// Bytes after the end of the compressed stream are ignored: a bzImage's payload is followed by its size.
///
/// # Errors
/// [`Error`] when the stream is damaged, too large, or of a known format that is not supported.
pub fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
    match bytes {
        [0x1f, 0x8b, ..] => read("gzip", flate2::read::GzDecoder::new(bytes)),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => xz(bytes).map(Cow::Owned),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            let decoder = zstd::stream::read::Decoder::with_buffer(bytes)
                .map_err(|e| Error::Damaged { format: "zstd", reason: e.to_string() })?;
            read("zstd", decoder.single_frame())
        }
        [0x02, 0x21, 0x4c, 0x18, rest @ ..] => lz4_legacy(rest).map(Cow::Owned),
        [b'B', b'Z', b'h', ..] => Err(Error::Unsupported("bzip2")),
        [0x5d, 0, 0, ..] => Err(Error::Unsupported("lzma")),
        [0x89, b'L', b'Z', b'O', ..] => Err(Error::Unsupported("lzo")),
        _ => Ok(Cow::Borrowed(bytes)),
    }
}

fn read(format: &'static str, reader: impl Read) -> Result<Cow<'static, [u8]>, Error> {
    let mut out = Vec::new();
    reader
        .take(MAX_UNPACKED + 1)
        .read_to_end(&mut out)
        .map_err(|e| Error::Damaged { format, reason: e.to_string() })?;
    if out.len() as u64 > MAX_UNPACKED {
        return Err(Error::TooLarge);
    }
    Ok(Cow::Owned(out))
}

/// Memory that the xz decoder may take, in bytes.
const XZ_MEMORY: u64 = 256 << 20;

/// One xz stream. The reader of the xz crate takes what follows the stream for damage, so the stream is driven here.
fn xz(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    use xz2::stream::{Action, Status, Stream};
    let damaged = |reason: &str| Error::Damaged { format: "xz", reason: reason.to_owned() };
    let mut stream = Stream::new_stream_decoder(XZ_MEMORY, 0).map_err(|e| damaged(&e.to_string()))?;
    let mut out = Vec::with_capacity(bytes.len().saturating_mul(4).min(1 << 26));
    loop {
        let rest = usize::try_from(stream.total_in()).ok().and_then(|n| bytes.get(n..)).unwrap_or_default();
        let before = (stream.total_in(), stream.total_out());
        if out.capacity() - out.len() < 1 << 16 {
            out.reserve(1 << 20);
        }
        match stream.process_vec(rest, &mut out, Action::Run).map_err(|e| damaged(&e.to_string()))? {
            Status::StreamEnd => return Ok(out),
            _ if out.len() as u64 > MAX_UNPACKED => return Err(Error::TooLarge),
            _ if before == (stream.total_in(), stream.total_out()) => {
                return Err(damaged("it ends too early"));
            }
            _ => {}
        }
    }
}

/// Size of a legacy frame's blocks when unpacked, in bytes.
const LZ4_BLOCK: usize = 8 << 20;

fn lz4_legacy(mut rest: &[u8]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    let mut block = Vec::new();
    while let Some((size, data)) = rest.split_first_chunk::<4>() {
        let size = u32::from_le_bytes(*size) as usize;
        // What follows the last block is the image's size, not a block.
        let Some((packed, after)) = data.split_at_checked(size) else { break };
        block.resize(LZ4_BLOCK, 0);
        let n = lz4_flex::block::decompress_into(packed, &mut block)
            .map_err(|e| Error::Damaged { format: "lz4", reason: e.to_string() })?;
        out.extend_from_slice(block.get(..n).unwrap_or_default());
        if out.len() as u64 > MAX_UNPACKED {
            return Err(Error::TooLarge);
        }
        rest = after;
    }
    if out.is_empty() {
        return Err(Error::Damaged { format: "lz4", reason: "no block".into() });
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TEXT: &[u8] = b"the same few words, the same few words, the same few words";

    fn with_trailer(mut packed: Vec<u8>) -> Vec<u8> {
        packed.extend_from_slice(&(TEXT.len() as u32).to_le_bytes());
        packed
    }

    #[test]
    fn unpacks_what_kernels_are_packed_with() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(TEXT).unwrap();
        let mut xz = xz2::write::XzEncoder::new(Vec::new(), 1);
        xz.write_all(TEXT).unwrap();
        let block = lz4_flex::block::compress(TEXT);
        let mut lz4 = vec![0x02, 0x21, 0x4c, 0x18];
        lz4.extend_from_slice(&(block.len() as u32).to_le_bytes());
        lz4.extend_from_slice(&block);
        for packed in [gzip.finish().unwrap(), xz.finish().unwrap(), zstd::encode_all(TEXT, 1).unwrap(), lz4]
        {
            assert_eq!(unpack(&packed).unwrap(), TEXT);
            assert_eq!(unpack(&with_trailer(packed)).unwrap(), TEXT);
        }
    }

    #[test]
    fn leaves_plain_bytes_and_names_what_it_cannot_unpack() {
        assert_eq!(unpack(TEXT).unwrap(), TEXT);
        assert_eq!(unpack(b"BZh91AY").unwrap_err(), Error::Unsupported("bzip2"));
        assert!(matches!(unpack(&[0x1f, 0x8b, 1]).unwrap_err(), Error::Damaged { format: "gzip", .. }));
    }
}
