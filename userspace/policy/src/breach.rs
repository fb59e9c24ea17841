//! What a project asserted and did not get.

use gemscope_engine::Stamp;

use crate::kind::Kind;

/// What was asserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Assertion {
    /// Nothing grows with every so many cycles of an action.
    SteadyGrowth,
    /// Between the first and the last mark nothing grows by more than this.
    GrowthLimit,
    /// Nothing is held for longer than this.
    AgeLimit,
    /// Never more than this at once.
    Budget,
    /// At least this, at some moment.
    Shortfall,
}

impl Assertion {
    /// The class of all of them, beside those of rules.
    pub const CLASS: &'static str = "assertion";

    /// Every assertion.
    pub const ALL: &'static [Self] =
        &[Self::SteadyGrowth, Self::GrowthLimit, Self::AgeLimit, Self::Budget, Self::Shortfall];

    /// The stable name, beside those of the kernel's rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SteadyGrowth => "steady-growth",
            Self::GrowthLimit => "growth-limit",
            Self::AgeLimit => "age-limit",
            Self::Budget => "budget",
            Self::Shortfall => "shortfall",
        }
    }

    /// The assertion of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|assertion| assertion.name() == name)
    }

    /// What broke it, in a line.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::SteadyGrowth => "what one call takes and nobody gives back grows with every few cycles",
            Self::GrowthLimit => "more is held at the last mark than at the first, beyond the limit",
            Self::AgeLimit => "something is held for longer than the limit",
            Self::Budget => "more is held at once than the budget allows",
            Self::Shortfall => "never was as much held as there should be",
        }
    }

    /// What it means, in a paragraph.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::SteadyGrowth => {
                "An action that is done again and again (a frame, a request, a window opened and closed) may take what it likes, \
                 as long as it gives it back. Each call site is judged by what it took in each cycle and what of that is still \
                 there: a leak leaves something behind every so many cycles, for ever; a cache or a pool does so only until it \
                 is full. So the assertion is broken where at least five of the judged cycles left something, three of them in \
                 the latter half, and where growth that has stopped is unlikely to look like this. The first cycles, which fill \
                 what is filled once, and the latest, whose buffers are still in flight or no older than what this place gives \
                 back, are left out. The slope is told with the bounds of its confidence."
            }
            Self::GrowthLimit => {
                "What is held at the last mark is compared with what was held at the first: between two moments at which a \
                 program is equally idle, it should hold equally much. The limit allows for what it may keep."
            }
            Self::AgeLimit => {
                "What a program takes for a moment (a frame in flight, a screenshot) is given back soon. What is older than the \
                 limit at the end was forgotten, or is a part of its state, and then wants a suppression that says so."
            }
            Self::Budget => {
                "The most that is held at any one moment. It says nothing about leaks: a program that takes everything at once \
                 and gives it all back breaks it too."
            }
            Self::Shortfall => {
                "A test that skips itself, for want of a device say, leaks nothing, and a check of it is clean. What it takes when it \
                 does its work it should have held at some moment. Less shows that the check had little to look at."
            }
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::SteadyGrowth => {
                "give back in each cycle what the calls below take in it; a pool that has not reached its cap looks the same: \
                 run more cycles, or let it fill with --warm-up"
            }
            Self::GrowthLimit => {
                "give back what the calls below have taken since the first mark, or raise --max-growth"
            }
            Self::AgeLimit => "give back what the calls below took, or raise --older",
            Self::Budget => "hold less at once, see the calls below, or raise --budget",
            Self::Shortfall => {
                "look at what the command printed: did it skip its tests, or take another device? Else lower --at-least"
            }
        }
    }
}

/// How something grew, judged by what survives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// survivors for each cycle
    pub per_cycle: f64,
    /// the least that it is, with the confidence
    pub low: f64,
    /// the most that it is, with the confidence
    pub high: f64,
    /// the confidence of the bounds, 0 to 1
    pub confidence: f64,
    /// cycles that were judged: without the warm-up and the latest ones
    pub cycles: u32,
    /// in how many of them something was taken that is still there
    pub grew_in: u32,
    /// cycles that were left out at the beginning
    pub warm_up: u32,
}

/// What one call site contributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The oldest of what is held: process and stacks are those of the call site.
    pub taken: Stamp,
    /// The newest of what is held.
    pub newest: Stamp,
    /// how many
    pub count: u64,
    /// their bytes
    pub bytes: u64,
}

/// One broken assertion.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    /// Running number, on from those of the findings.
    pub number: u32,
    /// What was asserted.
    pub assertion: Assertion,
    /// Of what there is too much.
    pub kind: Kind,
    /// The marks' name, where it was judged by marks; empty otherwise.
    pub series: String,
    /// How much there is: for limits of growth, by how much it grew.
    pub count: u64,
    /// How much was allowed; `None` where the assertion has no number.
    pub limit: Option<u64>,
    /// Bytes of what is too much; 0 when not known.
    pub bytes: u64,
    /// Age of the oldest, ns, for an age limit, whose limit is in ns too; 0 otherwise.
    pub age_ns: u64,
    /// How it grew, for steady growth.
    pub slope: Option<Slope>,
    /// When it was seen.
    pub at: Stamp,
    /// Who contributed, most first.
    pub shares: Vec<Share>,
    /// Loss could have made it: it is uncertain.
    pub tainted: bool,
}

impl Breach {
    /// One of which no more is known than this. It has no number yet.
    #[must_use]
    pub const fn new(assertion: Assertion, kind: Kind, at: Stamp) -> Self {
        Self {
            number: 0,
            assertion,
            kind,
            series: String::new(),
            count: 0,
            limit: None,
            bytes: 0,
            age_ns: 0,
            slope: None,
            at,
            shares: Vec::new(),
            tainted: false,
        }
    }
}
