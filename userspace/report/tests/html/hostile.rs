//! Names that want to be more than names, in every place where a name can stand.

use gemscope_engine::Verdict;
use gemscope_report::{Judgement, MissingProbe};

use super::check;
use super::machine::{Machine, definitions, leak};

const HOSTILE: &[&str] = &[
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "</style><b>",
    "</script><b>",
    "</title></svg><b>",
    "' onload='x",
    "&lt;b&gt;&#60;b&#62;",
    "<!--",
    "-->]]>",
    "javascript:alert(1)",
    "a\u{202e}b\u{2066}c\u{200b}",
    "\x1b[31m\x1b]0;t\x07",
    "a\r\nb\tc\0d",
    "\u{9b}2J",
];

/// A machine on which everything is called that.
fn machine(name: &str) -> Machine {
    let mut machine = Machine::default();
    machine.definitions = definitions(&[name; 4]);
    let mut driver = [0; 16];
    driver.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    machine.open(driver);
    (1..=3).for_each(|n| machine.buffer(n));
    machine.shared(1);
    let c = &mut machine.context;
    let own = || name.to_owned();
    (c.kernel, c.machine, c.distro, c.profile, c.status, c.trace, c.gemscope) =
        (own(), own(), own(), own(), own(), own(), own());
    c.recorded_profile = Some(own());
    c.at_exit = own();
    for list in [&mut c.features, &mut c.off, &mut c.blinded, &mut c.filters, &mut c.damage, &mut c.notes] {
        list.push(name.to_owned());
    }
    c.command = vec![name.to_owned(), name.to_owned()];
    c.missing.push(MissingProbe { probe: name.to_owned(), reason: name.to_owned(), blind: String::new() });
    machine.again = vec![name.to_owned()];
    let findings = (1..=4).map(|n| leak(n, 1)).collect();
    machine.judgement = Some(Judgement { findings, verdict: Verdict::Findings, ..machine.judged() });
    machine
}

#[test]
fn names_are_inert_everywhere() {
    let plain = check::sound(&machine("name").page());
    for name in HOSTILE {
        // The reader knows every element and attribute that there may be: none of these names makes another.
        let page = check::sound(&machine(name).page());
        assert_eq!((page.script, page.style), (plain.script.clone(), plain.style.clone()), "{name}");
        assert_eq!(page.ids, plain.ids, "{name}");
    }
}

#[test]
fn a_name_is_shown_as_it_is() {
    let page = check::sound(&machine("<b>&amp;\"'").page());
    assert!(page.text.matches("<b>&amp;\"'").count() > 20, "{}", page.text);
}

#[test]
fn long_names_do_not_flood() {
    let long = machine(&"<&\"".repeat(3_500)).page();
    check::sound(&long);
    assert!(long.len() < 400_000, "{} bytes", long.len());
}
