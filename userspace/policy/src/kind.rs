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

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
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
}
