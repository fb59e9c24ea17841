//! The life story of every buffer, kept while it lives and for a while after.
//!
//! Memory is bounded twice: a story keeps its beginning and its end, and of the dead only the latest are kept.

use std::collections::VecDeque;

use gemscope_engine::What;
use rustc_hash::FxHashMap;

use crate::happening::Happening;

/// One of the things that have stories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// An object, by number.
    Object(u32),
    /// A dma-buf, by number.
    Dmabuf(u32),
    /// A dma-buf that was seen among what processes hold and that no record has told of, by inode number: it has no story.
    Inode(u64),
}

/// The story of one object or dma-buf.
#[derive(Clone, Debug, Default)]
struct Story {
    begin: Vec<Happening>,
    end: VecDeque<Happening>,
    left_out: u64,
}

impl Story {
    /// What is kept of the beginning, and of the end.
    const BEGIN: usize = 16;
    const END: usize = 48;

    fn add(&mut self, happening: Happening) {
        if self.begin.len() < Self::BEGIN {
            self.begin.push(happening);
            return;
        }
        if self.end.len() == Self::END {
            self.end.pop_front();
            self.left_out += 1;
        }
        self.end.push_back(happening);
    }

    fn last(&self) -> Option<&Happening> {
        self.end.back().or(self.begin.last())
    }
}

/// The stories of a machine.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    stories: FxHashMap<Subject, Story>,
    dead: VecDeque<Subject>,
    /// The record that told of each last: what tables are sorted by, apart from the stories for speed.
    last: FxHashMap<Subject, u64>,
}

impl Chronicle {
    /// Stories kept of what is gone.
    const DEAD: usize = 1024;

    /// Takes in what happened.
    pub fn note(&mut self, happening: Happening) {
        let Happening { what, object, dmabuf, .. } = happening;
        if object != 0 {
            self.stories.entry(Subject::Object(object)).or_default().add(happening);
            self.last.insert(Subject::Object(object), happening.at.seq);
        }
        if dmabuf != 0 {
            self.stories.entry(Subject::Dmabuf(dmabuf)).or_default().add(happening);
            self.last.insert(Subject::Dmabuf(dmabuf), happening.at.seq);
        }
        match what {
            What::Died if object != 0 => self.buried(Subject::Object(object)),
            What::Released if dmabuf != 0 => self.buried(Subject::Dmabuf(dmabuf)),
            _ => {}
        }
    }

    fn buried(&mut self, subject: Subject) {
        self.dead.push_back(subject);
        if self.dead.len() > Self::DEAD
            && let Some(old) = self.dead.pop_front()
        {
            self.stories.remove(&old);
            self.last.remove(&old);
        }
    }

    /// What happened last to one of these.
    #[must_use]
    pub fn last(&self, subjects: &[Subject]) -> Option<&Happening> {
        subjects.iter().filter_map(|s| self.stories.get(s)?.last()).max_by_key(|h| h.at.seq)
    }

    /// Number of the record that told of this last; 0 for what has no story.
    #[must_use]
    pub fn last_seq(&self, subject: Subject) -> u64 {
        self.last.get(&subject).copied().unwrap_or(0)
    }

    /// The story of several things that are one buffer, oldest first, each happening once; and how many were left out.
    #[must_use]
    pub fn story(&self, subjects: &[Subject]) -> (Vec<Happening>, u64) {
        let mut all: Vec<Happening> = Vec::new();
        let mut left_out = 0;
        for story in subjects.iter().filter_map(|s| self.stories.get(s)) {
            all.extend(story.begin.iter().chain(&story.end));
            left_out += story.left_out;
        }
        all.sort_by_key(|h| h.at.seq);
        all.dedup();
        (all, left_out)
    }
}
