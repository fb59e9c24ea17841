//! A short name for what a finding is about: the same from run to run and from build to build.

use sha2::{Digest as _, Sha256};

use crate::subject::Subject;

/// Hash of the rule, the process's name and the names of the functions: of the program, or where there are none of the kernel.
/// Never of addresses, lines or pids, which change with every build and every run.
#[must_use]
pub fn fingerprint(subject: &Subject) -> String {
    let stack =
        if subject.user.iter().any(|f| !f.function.is_empty()) { &subject.user } else { &subject.kernel };
    let process = subject.processes.first().map_or("", String::as_str);
    let mut hash = Sha256::new();
    for word in [subject.rule.as_str(), process].into_iter().chain(stack.iter().map(|f| f.function.as_str()))
    {
        hash.update((word.len() as u64).to_le_bytes());
        hash.update(word);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
