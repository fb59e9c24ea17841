//! What is counted.

/// The kinds of things that limits are set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// GEM handles.
    Handles,
    /// dma-bufs: what fds, mappings and importers share.
    Dmabufs,
    /// Device attachments.
    Attachments,
    /// Framebuffers.
    Framebuffers,
    /// GEM objects.
    Objects,
    /// Bytes of all buffers, each counted once.
    Bytes,
}

impl Kind {
    /// Every kind.
    pub const ALL: &'static [Self] =
        &[Self::Handles, Self::Dmabufs, Self::Attachments, Self::Framebuffers, Self::Objects, Self::Bytes];

    /// The word that options and files use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Handles => "handles",
            Self::Dmabufs => "dma-bufs",
            Self::Attachments => "attachments",
            Self::Framebuffers => "framebuffers",
            Self::Objects => "objects",
            Self::Bytes => "bytes",
        }
    }

    /// The word for one of them.
    #[must_use]
    pub const fn one(self) -> &'static str {
        match self {
            Self::Handles => "handle",
            Self::Dmabufs => "dma-buf",
            Self::Attachments => "attachment",
            Self::Framebuffers => "framebuffer",
            Self::Objects => "object",
            Self::Bytes => "byte",
        }
    }

    /// So many of them, in words: `12 handles`, `64 MiB`.
    #[must_use]
    pub fn amount(self, n: u64) -> String {
        match self {
            Self::Bytes => bytes(n),
            kind if n == 1 => format!("1 {}", kind.one()),
            kind => format!("{n} {}", kind.name()),
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// Bytes in the greatest unit that tells them exactly, or nearly.
fn bytes(n: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    match units.into_iter().find(|(_, shift)| n >= 1 << shift) {
        Some((unit, shift)) if n.trailing_zeros() >= shift => format!("{} {unit}", n >> shift),
        Some((unit, shift)) => format!("{:.1} {unit}", n as f64 / f64::from(1_u32 << shift)),
        None => format!("{n} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(*kind));
        }
        assert_eq!(Kind::from_name("handle"), None);
    }

    #[test]
    fn amounts() {
        let say = |kind: Kind, n| kind.amount(n);
        assert_eq!(say(Kind::Handles, 1), "1 handle");
        assert_eq!(say(Kind::Dmabufs, 12), "12 dma-bufs");
        assert_eq!(say(Kind::Bytes, 64 << 20), "64 MiB");
        assert_eq!(say(Kind::Bytes, 1536), "1.5 KiB");
        assert_eq!(say(Kind::Bytes, 0), "0 bytes");
        assert_eq!(say(Kind::Bytes, u64::MAX), "17179869184.0 GiB");
    }
}
