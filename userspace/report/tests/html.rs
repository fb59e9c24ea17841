//! The HTML page: whole, well-formed, bounded, and deaf to what names say.

mod html {
    pub mod check;
    pub mod hostile;
    pub mod machine;
}

use gemscope_engine::Verdict;
use gemscope_report::Judgement;
use html::check::{self, Page};
use html::machine::{Machine, leak};
use snapbox::{Data, assert_data_eq, file};

/// The page without the style and the script, which are files of their own.
fn without_assets(page: &str) -> String {
    let mut out = String::new();
    let mut rest = page;
    for tag in ["style", "script"] {
        let begin = rest.find(&format!("<{tag}>")).unwrap();
        let end = rest.find(&format!("</{tag}>")).unwrap();
        out.push_str(&rest[..begin]);
        rest = &rest[end + tag.len() + 3..];
    }
    out.push_str(rest);
    // The hashes change with every touch of the two.
    let (before, after) = out.split_once("style-src '").unwrap();
    let (_, after) = after.split_once("script-src '").unwrap();
    let (_, after) = after.split_once("';").unwrap();
    format!("{before}…;{after}").replace('>', ">\n")
}

#[test]
fn one_leak() {
    let page = Machine::with_leaks(1).page();
    assert_data_eq!(Data::text(without_assets(&page)), file!["golden/leak.html"].raw());
    check::sound(&page);
}

#[test]
fn nothing_happened() {
    let page = Machine::default().page();
    let read = check::sound(&page);
    assert!(read.text.contains("clean: nothing leaked"), "{}", read.text);
}

#[test]
fn what_limits_the_answer_comes_first() {
    let mut machine = Machine::with_leaks(2);
    machine.context.damage = vec!["the trace is cut at byte `77`".to_owned()];
    machine.judgement = Some(Judgement {
        verdict: Verdict::Undecided(vec![gemscope_engine::Doubt::Gap]),
        doubts: vec![gemscope_engine::Doubt::Gap, gemscope_engine::Doubt::Drops(9)],
        ..machine.judged()
    });
    let page = check::sound(&machine.page());
    let place = |words: &str| {
        page.text.find(words).unwrap_or_else(|| panic!("`{words}` is missing in {}", page.text))
    };
    let order = [
        "undecided",
        "Only a part of the trace could be read",
        "cut at byte `77`",
        "9 records were lost",
        "What was run",
    ];
    assert!(order.map(place).is_sorted(), "{}", page.text);
}

#[test]
fn ten_thousand_findings_fit() {
    let mut machine = Machine::with_leaks(3);
    // Every one with a stack of its own: none is like another.
    let findings = (1..=10_000).map(|n| leak(n, n as i32)).collect();
    machine.judgement = Some(Judgement { findings, verdict: Verdict::Findings, ..machine.judged() });
    let page = machine.page();
    assert!(page.len() < 5 << 20, "{} bytes", page.len());
    let read = check::sound(&page);
    for words in
        ["10,000 findings", "… and 8,500 more: handle-leak ×8,500", "more findings are not told in full here"]
    {
        assert!(read.text.contains(words), "`{words}` is missing");
    }
}

#[test]
fn a_hundred_thousand_buffers_fit() {
    let machine = Machine::with_buffers(100_000);
    let page = machine.page();
    assert!(page.len() < 5 << 20, "{} bytes", page.len());
    let read = check::sound(&page);
    for words in ["… and 99,500 more buffers", "200 of 100,000 are shown", "99,800 are left out"] {
        assert!(read.text.contains(words), "`{words}` is missing");
    }
}

#[test]
fn the_same_machine_gives_the_same_page() {
    assert_eq!(Machine::with_buffers(50).page(), Machine::with_buffers(50).page());
}

#[test]
fn the_policy_names_what_is_there() {
    let page = Machine::default().page();
    let Page { policy, style, script, .. } = check::sound(&page);
    let hash = |text: &str| {
        use sha2::Digest as _;
        data_encoding::BASE64.encode(&sha2::Sha256::digest(text.as_bytes()))
    };
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(policy.contains(&format!("style-src 'sha256-{}';", hash(&style))), "{policy}");
    assert!(policy.contains(&format!("script-src 'sha256-{}';", hash(&script))), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
}
