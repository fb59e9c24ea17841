//! What suppressions and baselines hide, and what generated ones do.

use gemscope_policy::{
    Baseline, Config, Entry, Frame, Origin, Outcome, Subject, Suppression, fingerprint, stanzas, suppress,
};
use jiff::civil::{Date, date};
use proptest::prelude::*;

const TODAY: Date = date(2026, 11, 20);

fn frame(function: &str, module: &str) -> Frame {
    Frame { function: function.to_owned(), module: module.to_owned(), ..Frame::default() }
}

/// A leak of so many handles that `weston` took in this function of its own.
fn leak(number: u32, function: &str, count: u64) -> Subject {
    Subject {
        number,
        rule: "handle-leak".to_owned(),
        class: "leak".to_owned(),
        processes: vec!["weston".to_owned(), "client".to_owned()],
        devices: vec!["card0".to_owned(), "vgem".to_owned()],
        user: vec![frame("ioctl", "libc.so.6"), frame(function, "libgallium.so"), frame("main", "weston")],
        kernel: vec![frame("drm_ioctl", "drm")],
        count,
        bytes: count * 4096,
    }
}

fn read(text: &str) -> Vec<Suppression> {
    let text = text.replace("NEW", "[[suppress]]\nreason = \"r\"\n");
    Config::parse_suppressions(&text, "f.toml").unwrap()
}

/// Does a suppression with these lines hide a leak in `pool_alloc`?
#[track_caller]
fn check(lines: &str, hides: bool) {
    let all = read(&format!("NEW\nname = \"a\"\n{lines}"));
    let aside = suppress(&all, &[leak(1, "pool_alloc", 1)], TODAY);
    assert_eq!(aside.has(1), hides);
}

#[test]
fn patterns_are_of_what_they_say() {
    check("rule = \"handle-leak\"", true);
    check("rule = \"leak\"", true);
    check("rule = \"*leak\"", true);
    check("rule = [\"fd-leak\", \"handle-*\"]", true);
    check("rule = \"fd-leak\"", false);
    check("rule = \"assertion\"", false);
    check("process = \"west*\"", true);
    check("process = \"client\"", true);
    check("process = \"west\"", false);
    check("module = \"libgallium*\"", true);
    check("module = \"drm\"", true);
    check("frame = \"*pool*\"", true);
    check("frame = \"drm_ioctl\"", true);
    check("frame = \"pool\"", false);
    check("device = \"vgem\"", true);
    check("device = \"card?\"", true);
    check("device = \"i915\"", false);
}

#[test]
fn all_keys_must_match() {
    check(
        "rule = \"leak\"\nprocess = \"weston\"\nframe = \"main\"\nmodule = \"drm\"\ndevice = \"vgem\"",
        true,
    );
    check("rule = \"leak\"\nprocess = \"weston\"\nframe = \"other\"", false);
    check("rule = \"misuse\"\nprocess = \"weston\"", false);
}

#[test]
fn an_end_is_an_end() {
    check("rule = \"leak\"\nexpires = \"2026-11-21\"", true);
    check("rule = \"leak\"\nexpires = \"2026-11-20\"", false);
    check("rule = \"leak\"\nexpires = 2020-01-01", false);
}

#[test]
fn ends_are_told() {
    let notes = |lines: &str, subjects: &[Subject]| {
        suppress(&read(&format!("NEW\nname = \"a\"\nrule = \"leak\"\n{lines}")), subjects, TODAY)
            .notes
            .join("\n")
    };
    let one = [leak(1, "a", 1)];
    assert_eq!(notes("expires = \"2026-12-05\"", &one), "");
    assert_eq!(
        notes("expires = \"2026-12-04\"", &one),
        "the suppression `a` (f.toml:1) expires on 2026-12-04"
    );
    assert_eq!(
        notes("expires = \"2026-11-01\"", &one),
        "the suppression `a` (f.toml:1) expired on 2026-11-01 and hides nothing; it would have matched 1 of what was \
         found: fix that, or look at it anew and move the day"
    );
    assert!(notes("expires = \"2026-11-01\"", &[]).ends_with("nothing of its kind was found: take it out"));
}

#[test]
fn the_first_that_matches_decides() {
    let all = read(
        "NEW name = \"a\"\nframe = \"x\"\nNEW name = \"b\"\nrule = \"leak\"\nNEW name = \"c\"\nrule = \"leak\"\n",
    );
    let aside = suppress(&all, &[leak(1, "x", 1), leak(2, "y", 2)], TODAY);
    let found: Vec<_> = aside.set_aside.iter().map(|s| (s.number, s.entry)).collect();
    assert_eq!(found, [(1, 0), (2, 1)]);
    assert_eq!(aside.entries.iter().map(Entry::is_unused).collect::<Vec<_>>(), [false, false, true]);
    let Entry { origin, findings, count, bytes, .. } = &aside.entries[1];
    assert_eq!((*origin, *findings, *count, *bytes), (Origin::Suppression, 1, 2, 8192));
}

#[test]
fn no_more_than_max() {
    let all = read("NEW name = \"a\"\nrule = \"leak\"\nmax = 3\nNEW name = \"b\"\nrule = \"leak\"\n");
    let aside = suppress(&all, &[leak(1, "x", 2), leak(2, "y", 2), leak(3, "z", 1)], TODAY);
    let found: Vec<_> = aside.set_aside.iter().map(|s| (s.number, s.entry)).collect();
    assert_eq!(found, [(1, 0), (3, 0)]);
    assert_eq!(aside.notes, ["the suppression `a` (f.toml:1) hides 3 at most: 2 more of its kind stand"]);
}

#[test]
fn a_baseline_takes_what_it_was_made_of() {
    let subjects = [leak(1, "x", 2), leak(2, "y", 1), leak(3, "x", 1)];
    let made = Baseline::of(subjects.iter(), "6.12");
    assert_eq!(made.accepted.len(), 2);
    let read = Baseline::parse(&made.render()).unwrap();
    assert_eq!(read.render(), made.render());
    let aside = read.apply(subjects.iter(), "b.toml");
    assert_eq!(aside.set_aside.iter().map(|s| s.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((aside.entries[0].place.as_str(), aside.notes.len()), ("b.toml:5", 0));
}

#[test]
fn a_baseline_takes_no_more() {
    let made = Baseline::of([leak(1, "x", 2)].iter(), "6.12");
    let aside = made.apply([leak(1, "x", 3)].iter(), "b.toml");
    assert!(aside.set_aside.is_empty() && !aside.entries[0].is_unused());
    let print = fingerprint(&leak(1, "x", 3));
    assert_eq!(aside.notes, [format!("handle-leak of weston ({print}): 1 more than the baseline's 2")]);
    let other = made.apply([leak(1, "new", 1)].iter(), "b.toml");
    assert!(other.set_aside.is_empty() && other.entries[0].is_unused() && other.notes.is_empty());
}

#[test]
fn a_baseline_only_shrinks() {
    let made = Baseline::of([leak(1, "x", 2), leak(2, "y", 5)].iter(), "6.12");
    let less = made.shrink([leak(1, "y", 3), leak(2, "new", 1)].iter());
    assert_eq!((less.removed, less.lowered), (1, 1));
    assert_eq!(less.baseline.accepted.iter().map(|a| a.count).collect::<Vec<_>>(), [3]);
    let same = made.shrink([leak(1, "x", 9), leak(2, "y", 5)].iter());
    assert_eq!((same.removed, same.lowered, &same.baseline), (0, 0, &made));
}

#[test]
fn a_stack_that_was_lost_is_no_new_finding() {
    let lost =
        |number, count| Subject { user: vec![frame("", ""), frame("", "")], ..leak(number, "", count) };
    let made = Baseline::of([leak(1, "x", 2), leak(2, "y", 3)].iter(), "6.12");
    let passes = |all: &[Subject]| -> Vec<u32> {
        made.apply(all.iter(), "b").set_aside.iter().map(|aside| aside.number).collect()
    };
    assert_eq!(passes(&[lost(1, 2), leak(2, "x", 2), leak(3, "y", 1)]), [1, 2, 3]);
    // No more than was accepted, whatever the order.
    assert_eq!(passes(&[lost(1, 1), leak(2, "x", 2), leak(3, "y", 3)]), [2, 3]);
    assert_eq!(passes(&[lost(1, 4)]), [0; 0]);
    // Another rule, another process, and a program that is known.
    assert_eq!(passes(&[Subject { rule: "fd-leak".to_owned(), ..lost(1, 1) }]), [0; 0]);
    assert_eq!(passes(&[Subject { processes: vec!["sway".to_owned()], ..lost(1, 1) }]), [0; 0]);
    assert_eq!(passes(&[leak(1, "z", 1)]), [0; 0]);
    // It counts when the file shrinks.
    let less = made.shrink([leak(1, "x", 2), lost(2, 2)].iter());
    assert_eq!((less.removed, less.lowered), (0, 1));
    assert_eq!(less.baseline.accepted.iter().map(|a| a.count).sum::<u64>(), 4);
}

#[test]
fn a_baseline_is_sorted() {
    let there = Baseline::of([leak(1, "x", 2), leak(2, "y", 5)].iter(), "6.12").render();
    let back = Baseline::of([leak(1, "y", 5), leak(2, "x", 2)].iter(), "6.12").render();
    assert_eq!(there, back);
    assert!(there.contains("where = [\"x\", \"main\"]\ncount = 2\nkernel = \"6.12\"\n"), "{there}");
}

#[test]
fn one_list_after_another() {
    let subjects = [leak(1, "x", 1), leak(2, "y", 1)];
    let mut outcome = Outcome::default();
    outcome.set_aside(suppress(&read("NEW name = \"a\"\nframe = \"y\"\n"), &subjects, TODAY));
    outcome.set_aside(Baseline::of([leak(1, "x", 1)].iter(), "").apply(subjects.iter().take(1), "b"));
    assert_eq!(outcome.aside(1).map(|e| e.origin), Some(Origin::Baseline));
    assert_eq!(outcome.aside(2).map(|e| e.origin), Some(Origin::Suppression));
    assert_eq!(outcome.aside(3), None);
}

/// A generated file with its reasons filled in.
fn filled(subjects: &[Subject]) -> Vec<Suppression> {
    let text = stanzas(subjects.iter(), std::iter::empty());
    assert!(
        text.is_empty() || Config::parse_suppressions(&text, "f").is_err(),
        "without reasons it is refused"
    );
    Config::parse_suppressions(&text.replace("# reason", "reason"), "f")
        .unwrap_or_else(|e| panic!("{e:?}\n{text}"))
}

#[test]
fn generated_names_are_unique() {
    let subjects = [leak(1, "x y", 1), leak(2, "x_y", 1), leak(3, "x_y", 7)];
    let names = |taken: &str| {
        let text = stanzas(subjects.iter(), std::iter::once(taken));
        text.lines().filter(|l| l.starts_with("name")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(""), "name = \"handle-leak-weston-x-y\" name = \"handle-leak-weston-x-y-2\"");
    assert!(names("handle-leak-weston-x-y").starts_with("name = \"handle-leak-weston-x-y-2\""));
}

fn words() -> impl Strategy<Value = String> {
    // What patterns make of a star is more than the star.
    any::<String>().prop_map(|s| s.replace(['*', '?'], "_"))
}

fn subjects() -> impl Strategy<Value = Subject> {
    (prop::sample::select(vec!["handle-leak", "fd-leak", "budget"]), words(), words(), words()).prop_map(
        |(rule, process, function, module)| Subject {
            rule: rule.to_owned(),
            processes: vec![process],
            user: vec![frame(&function, &module)],
            count: 1,
            ..Subject::default()
        },
    )
}

proptest! {
    #[test]
    fn nothing_read_panics(bytes: Vec<u8>) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = Config::parse(&text, "f");
        let _ = Baseline::parse(&text);
    }

    #[test]
    fn nothing_like_toml_panics(text in "(\\[|\\]|=|\"|\\n|suppress|check|budget|growth|scope|bytes|[a-z]|[0-9]|\\.|,|\\{|\\}|ä){0,60}") {
        let _ = Config::parse(&text, "f");
        let _ = Config::parse_suppressions(&text, "f");
        let _ = Baseline::parse(&text);
    }

    #[test]
    fn a_generated_suppression_hides_its_finding(subject in subjects(), other in subjects()) {
        let made = filled(std::slice::from_ref(&subject));
        prop_assert_eq!(made.len(), 1);
        prop_assert!(made[0].matches(&subject));
        let named = |s: &Subject| !s.processes[0].trim().is_empty() && !s.user[0].function.trim().is_empty();
        let alike = (&other.rule, &other.processes, &other.user) == (&subject.rule, &subject.processes, &subject.user);
        if named(&subject) && !alike && !subject.user[0].is_wrapper() && !subject.user[0].module.trim().is_empty() {
            prop_assert!(!made[0].matches(&other));
        }
    }

    #[test]
    fn a_baseline_reads_what_it_writes(all in prop::collection::vec(subjects(), 0..6)) {
        let made = Baseline::of(all.iter(), "6.12");
        let read = Baseline::parse(&made.render()).unwrap();
        prop_assert_eq!(read.apply(all.iter(), "f").set_aside.len(), all.len());
        prop_assert_eq!(read.render(), made.render());
    }
}
