//! The words of the language: every operation with what it takes and gives.

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A DRM file.
    File,
    /// A process.
    Process,
    /// A handle; a plain number is a guess.
    Handle,
    /// A plain number.
    Number,
    /// An fd of a dma-buf.
    Fd,
    /// A global name.
    Name,
    /// An attachment.
    Attachment,
    /// An sg table.
    Table,
    /// A framebuffer.
    Framebuffer,
    /// A mapping of a process.
    Mapping,
}

impl Kind {
    /// What it is called in errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Process => "a process",
            Self::Handle => "a handle",
            Self::Number => "a number",
            Self::Fd => "an fd",
            Self::Name => "a global name",
            Self::Attachment => "an attachment",
            Self::Table => "an sg table",
            Self::Framebuffer => "a framebuffer",
            Self::Mapping => "a mapping",
        }
    }
}

/// A row of the table of operations.
#[derive(Clone, Copy, Debug)]
pub struct VerbRow {
    /// Which one.
    pub verb: Verb,
    /// Its word.
    pub word: &'static str,
    /// What it takes, in order.
    pub takes: &'static [Kind],
    /// What it gives.
    pub gives: Option<Kind>,
    /// Words that may follow.
    pub words: &'static [&'static str],
    /// What it does, in a line.
    pub about: &'static str,
}

macro_rules! verbs {
    ($( $verb:ident $word:literal ($($takes:ident)*) $(-> $gives:ident)? [$($words:literal)*] $about:literal ; )+) => {
        /// An operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Verb { $( #[doc = $about] $verb, )+ }

        /// Every operation of the language.
        pub const VERBS: &[VerbRow] = &[$(
            VerbRow {
                verb: Verb::$verb,
                word: $word,
                takes: &[$(Kind::$takes),*],
                gives: verbs!(@gives $($gives)?),
                words: &[$($words),*],
                about: $about,
            },
        )+];
    };
    (@gives) => { None };
    (@gives $kind:ident) => { Some(Kind::$kind) };
}

verbs! {
    Create "create" (File) -> Handle [] "MODE_CREATE_DUMB: an object and a handle for it";
    Close "close" (File Handle) [] "GEM_CLOSE";
    DestroyDumb "destroy-dumb" (File Handle) [] "MODE_DESTROY_DUMB";
    Flink "flink" (File Handle) -> Name [] "GEM_FLINK: a global name for the object";
    OpenName "open-name" (File Name) -> Handle [] "GEM_OPEN: a new handle for the object with this name";
    ChangeHandle "change-handle" (File Handle Number) [] "GEM_CHANGE_HANDLE: the handle gets this number";
    Export "export" (File Handle) -> Fd [] "PRIME_HANDLE_TO_FD";
    Import "import" (File Fd) -> Handle [] "PRIME_FD_TO_HANDLE";
    MakeDmabuf "make-dmabuf" (Process) -> Fd ["dynamic" "caches"] "a dma-buf of an exporter that is no DRM driver";
    Dup "dup" (Fd) -> Fd [] "dup(2)";
    Send "send" (Fd Process) -> Fd [] "SCM_RIGHTS: a copy of the fd in another process";
    Path "path" (Fd) -> Fd [] "open(2) of /proc/self/fd/N with O_PATH";
    CloseFd "close-fd" (Fd) [] "close(2)";
    SetName "set-name" (Fd) [] "DMA_BUF_SET_NAME";
    Attach "attach" (Fd) -> Attachment ["dynamic" "locked"] "a driver attaches a device; it keeps the dma-buf";
    Detach "detach" (Attachment) ["locked"] "the driver detaches, and lets go of the dma-buf";
    DetachFrom "detach-from" (Fd Attachment) [] "the driver detaches from another dma-buf";
    ForgetAttach "forget-attach" (Attachment) [] "the driver lets go of the dma-buf and does not detach";
    Map "map" (Attachment) -> Table ["to" "from" "locked" "unlocked"] "dma_buf_map_attachment";
    Unmap "unmap" (Attachment Table) ["to" "from" "locked" "unlocked"] "dma_buf_unmap_attachment";
    Pin "pin" (Attachment) ["unlocked"] "dma_buf_pin";
    Unpin "unpin" (Attachment) ["unlocked"] "dma_buf_unpin";
    Vmap "vmap" (Attachment) ["unlocked"] "dma_buf_vmap";
    Vunmap "vunmap" (Attachment) ["unlocked"] "dma_buf_vunmap";
    BadExport "bad-export" (Process) [] "an exporter calls dma_buf_export without what it must have";
    AddFb "addfb" (File Handle) -> Framebuffer [] "MODE_ADDFB2";
    RmFb "rmfb" (File Framebuffer) [] "MODE_RMFB";
    CloseFb "closefb" (File Framebuffer) [] "MODE_CLOSEFB";
    GetFb2 "getfb2" (File Framebuffer) -> Handle [] "MODE_GETFB2: a new handle for the framebuffer's object";
    Mmap "mmap" (File Handle) -> Mapping [] "mmap(2) through the DRM file";
    MmapFd "mmap-fd" (Fd) -> Mapping [] "mmap(2) of the dma-buf";
    Munmap "munmap" (Mapping) [] "munmap(2)";
    Access "access" (File Handle) ["unchecked"] "a driver's pread or pwrite; unchecked, it forgets that imports have none";
    CloseFile "close-file" (File) [] "the DRM file's last close(2)";
}

/// Calls that can be made to fail, with what they are.
pub const POINTS: [(&str, &str); 7] = [
    ("handle", "`idr_alloc` of a handle"),
    ("open", "the driver's `funcs->open`"),
    ("export", "`dma_buf_export`"),
    ("cache", "`drm_prime_add_buf_handle`"),
    ("fd", "reserving or installing an fd"),
    ("attach", "`dma_buf_attach`"),
    ("map", "`dma_buf_map_attachment`"),
];

impl Verb {
    /// Its row.
    #[must_use]
    pub fn row(self) -> &'static VerbRow {
        // One row for each: the macro makes both.
        &VERBS[self as usize]
    }

    /// The operation with this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        VERBS.iter().find(|row| row.word == word).map(|row| row.verb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Point;

    #[test]
    fn the_points_are_those_that_programs_know() {
        assert!(Point::ALL.iter().map(|(_, word)| *word).eq(POINTS.iter().map(|(word, _)| *word)));
    }
}
