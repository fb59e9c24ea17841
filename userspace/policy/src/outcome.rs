//! What came of all assertions, suppressions and the baseline.

use crate::breach::Breach;
use crate::subject::Subject;

/// Where an entry that sets something aside stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A suppression: somebody wrote down why.
    Suppression,
    /// The baseline: it was there when the baseline was made.
    Baseline,
}

impl Origin {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suppression => "suppression",
            Self::Baseline => "baseline",
        }
    }
}

/// One entry of a suppression file or a baseline, and what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// which kind of file it is from
    pub origin: Origin,
    /// what it is called: a suppression's name, a baseline entry's fingerprint
    pub name: String,
    /// why it may be set aside; empty when nobody said
    pub reason: String,
    /// where it is written: `gemscope.toml:12`
    pub place: String,
    /// the day from which it counts no more, as `2027-01-31`; empty for never
    pub expires: String,
    /// that day has come: it hid nothing
    pub expired: bool,
    /// findings and breaches that it set aside
    pub findings: u64,
    /// and those that it would have, were they not more than it may hide: they stand
    pub beyond: u64,
    /// how many references they spoke for
    pub count: u64,
    /// and how many bytes
    pub bytes: u64,
}

impl Entry {
    /// Was there nothing of its kind, although it could have hidden that?
    #[must_use]
    pub const fn is_unused(&self) -> bool {
        self.findings == 0 && self.beyond == 0 && !self.expired
    }

    /// It sets this aside.
    pub(crate) const fn add(&mut self, subject: &Subject) {
        self.findings += 1;
        self.count = self.count.saturating_add(subject.count);
        self.bytes = self.bytes.saturating_add(subject.bytes);
    }
}

/// A finding or breach that is set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// its number
    pub number: u32,
    /// which of [`Outcome::entries`] did it
    pub entry: usize,
}

/// What one list of entries set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// all of them, in the order of the file
    pub entries: Vec<Entry>,
    /// what they set aside, by rising number
    pub set_aside: Vec<SetAside>,
    /// what there is to say about them, a sentence each
    pub notes: Vec<String>,
}

impl Aside {
    /// Did an entry set the finding or breach of this number aside?
    #[must_use]
    pub fn has(&self, number: u32) -> bool {
        self.set_aside.binary_search_by_key(&number, |s| s.number).is_ok()
    }
}

/// An assertion that held, with what was seen: a check that says nothing shows nothing. Or one that nothing was seen of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// the stable name of the assertion
    pub name: &'static str,
    /// what was asserted, and what was seen, in a sentence
    pub text: String,
}

/// Everything that a policy has to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// broken assertions, in the order of their numbers
    pub breaches: Vec<Breach>,
    /// assertions that held
    pub kept: Vec<Kept>,
    /// assertions that could not be judged, and why: nobody can call the whole clean
    pub unjudged: Vec<Kept>,
    /// every suppression and baseline entry, in the order of the files
    pub entries: Vec<Entry>,
    /// what they set aside, by rising number
    pub set_aside: Vec<SetAside>,
    /// what there is to say beside, a sentence each: growth that is too slow to be sure of, say
    pub notes: Vec<String>,
}

impl Outcome {
    /// The entry that set a finding or a breach aside.
    #[must_use]
    pub fn aside(&self, number: u32) -> Option<&Entry> {
        let found = self.set_aside.binary_search_by_key(&number, |s| s.number).ok()?;
        self.entries.get(self.set_aside.get(found)?.entry)
    }

    /// Takes in what a list of entries set aside, after those that were taken in before.
    pub fn set_aside(&mut self, aside: Aside) {
        let before = self.entries.len();
        self.entries.extend(aside.entries);
        self.set_aside.extend(aside.set_aside.into_iter().map(|s| SetAside { entry: s.entry + before, ..s }));
        self.set_aside.sort_by_key(|s| s.number);
        self.notes.extend(aside.notes);
    }

    /// Broken assertions that nothing set aside.
    pub fn standing(&self) -> impl Iterator<Item = &Breach> {
        self.breaches.iter().filter(|b| self.aside(b.number).is_none())
    }
}
