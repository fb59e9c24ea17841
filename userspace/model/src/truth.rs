//! What goes wrong, as the model knows it: recorded by the micro-step that does it, from the state and not from
//! Records.

use zerocopy::{FromBytes, Immutable, IntoBytes};

macro_rules! wrongs {
    ($( $variant:ident = $number:literal $name:literal $text:literal ; )+) => {
        /// What can be wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Wrong { $( #[doc = $text] $variant = $number, )+ }

        impl Wrong {
            /// Every one.
            pub const ALL: &'static [Self] = &[$( Self::$variant, )+];

            /// Its stable name.
            #[must_use]
            pub const fn name(self) -> &'static str { match self { $( Self::$variant => $name, )+ } }

            /// What it means, in a line.
            #[must_use]
            pub const fn text(self) -> &'static str { match self { $( Self::$variant => $text, )+ } }
        }
    };
}

wrongs! {
    LostObject = 1 "lost-object" "an object is kept by a reference that nobody has any more";
    LostBuf = 2 "lost-dmabuf" "a dma-buf is kept by a file reference that nobody has any more";
    LostCount = 3 "lost-handle-count" "a handle count is left of a handle that is gone";
    CacheNotEmpty = 4 "cache-not-empty" "the PRIME cache of a closing file has entries left";
    DeadHandleReturned = 5 "dead-handle-returned" "an import returned a handle that is closed";
    ReleasedWhileCached = 6 "released-while-cached" "a dma-buf was released, and a PRIME cache has its pointer";
    StaleLink = 7 "stale-link" "an object's link to its dma-buf outlived what it rests on";
    SecondBuf = 8 "second-dmabuf" "an object has two live dma-bufs";
    SecondHandle = 9 "second-handle" "an import made a handle beside the one that the file had for the dma-buf";
    UseAfterRelease = 10 "use-after-release" "a dma-buf was used after its last reference was gone";
    UseAfterFree = 11 "use-after-free" "an object was used after its last reference was gone";
    DanglingHandle = 12 "dangling-handle" "an object died, and a handle table has its pointer";
    CountUnderflow = 13 "count-underflow" "a handle count was dropped that was not there";
    ClosedInCreation = 14 "closed-in-creation" "a handle was closed before its creation had set up its file";
    NumberReused = 15 "number-reused" "a handle's number was given out again before its close was done";
    WrongEntry = 16 "wrong-entry" "a close removed the cache entry of another handle";
    NameLeft = 17 "name-left" "a global name outlived the last handle";
    DriverState = 18 "driver-state" "the driver's state of a file outlived the file's handle, or was dropped twice";
    AttachmentLeft = 19 "attachment-left" "a device is still attached to what is gone";
    MappingLeft = 20 "mapping-left" "a mapping was not undone before the detach";
    PinLeft = 21 "pin-left" "pins and unpins of an attachment do not match";
    VmapLeft = 22 "vmap-left" "a CPU mapping by the kernel was not undone before the release";
    LockNotHeld = 23 "lock-not-held" "a call was made without the reservation lock that it needs";
    LockHeld = 24 "lock-held" "a call was made with the reservation lock that it takes itself";
    DirectionConflict = 25 "direction-conflict" "a mapping was asked for, or undone, in another direction";
    UnmapWithoutMap = 26 "unmap-without-map" "what was unmapped is not mapped";
    ForeignDetach = 27 "foreign-detach" "a detach from a dma-buf that the attachment is not on";
    BadExport = 28 "bad-export" "an exporter gave the core what it must not";
    NamedWhileAttached = 29 "named-while-attached" "a dma-buf was named while devices were attached";
    DoubleClose = 30 "double-close" "user space closed a handle that was closed already";
    CloseOfReused = 31 "close-of-reused" "user space closed a handle number once too often for what it had it for before";
    CloseTooOften = 32 "close-too-often" "user space closed once for each import; the kernel counts one";
    DumbDestroyOfImport = 33 "dumb-destroy-of-import" "user space destroyed an import as a dumb buffer";
    AccessOfImport = 34 "access-of-import" "user space reads or writes an import by its handle";
    HandleLeft = 35 "handle-left" "user space left a handle open to its end";
    FdLeft = 36 "fd-left" "user space left an fd open to its end";
    FramebufferLeft = 37 "framebuffer-left" "a framebuffer outlived its file";
    Deadlock = 38 "deadlock" "no thread can go on";
}

impl Wrong {
    /// Is it user space that erred, and not the kernel?
    #[must_use]
    pub const fn is_misuse(self) -> bool {
        matches!(
            self,
            Self::DoubleClose
                | Self::CloseOfReused
                | Self::CloseTooOften
                | Self::DumbDestroyOfImport
                | Self::AccessOfImport
                | Self::HandleLeft
                | Self::FdLeft
        )
    }

    /// The one with this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|w| *w as u8 == number)
    }
}

/// What a fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum About {
    /// An object, by the order of births.
    Object(u16),
    /// A dma-buf, by its inode number.
    Buf(u16),
    /// A file, by its place in the scenario.
    File(u8),
    /// A handle: file and number.
    Handle(u8, u16),
    /// A framebuffer, by its id.
    Framebuffer(u16),
    /// Nothing in particular.
    Nothing,
}

/// One thing that is wrong.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default, IntoBytes, FromBytes, Immutable,
)]
#[repr(C)]
pub struct Fact {
    wrong: u8,
    kind: u8,
    file: u8,
    reserved: u8,
    number: u16,
}

impl Fact {
    /// This is wrong with that.
    #[must_use]
    pub const fn new(wrong: Wrong, about: About) -> Self {
        let (kind, file, number) = match about {
            About::Nothing => (0, 0, 0),
            About::Object(n) => (1, 0, n),
            About::Buf(n) => (2, 0, n),
            About::File(f) => (3, f, 0),
            About::Handle(f, n) => (4, f, n),
            About::Framebuffer(n) => (5, 0, n),
        };
        Self { wrong: wrong as u8, kind, file, reserved: 0, number }
    }

    /// What is wrong.
    #[must_use]
    pub fn wrong(&self) -> Wrong {
        // Only `new` makes one.
        Wrong::from_number(self.wrong).unwrap_or(Wrong::Deadlock)
    }

    /// What it is about.
    #[must_use]
    pub const fn about(&self) -> About {
        match self.kind {
            1 => About::Object(self.number),
            2 => About::Buf(self.number),
            3 => About::File(self.file),
            4 => About::Handle(self.file, self.number),
            5 => About::Framebuffer(self.number),
            _ => About::Nothing,
        }
    }
}
