//! What the command line of a test says of its name, for each runner that starts a process for a test.

use gemscope_trace::{Name, Process, Runner, TestCase, base_name, script};

/// `igt@kms_foo@bar@pipe-a`, as `igt_runner` names its results; `None` when it is no such test, or there are several in one process.
pub(super) fn igt(process: &Process, parent: Option<&Process>) -> Option<String> {
    let cmdline = &process.cmdline;
    let subtest = option(cmdline, "--run-subtest");
    let runner = parent.filter(|parent| Runner::of(&parent.cmdline) == Some(Runner::Igt));
    if subtest.is_none() && (runner.is_none() || Runner::of(cmdline) == Some(Runner::Igt)) {
        return None;
    }
    let program = cmdline.get(script(cmdline))?.as_bytes();
    let mut out = format!("igt@{}", part(below_root(program, runner)));
    let parts = [subtest, option(cmdline, "--dynamic-subtest")];
    for name in parts.into_iter().flatten() {
        // A list or a pattern is several tests.
        if name.iter().any(|b| b",*?[!".contains(b)) {
            return None;
        }
        out.push('@');
        out.push_str(&part(name));
    }
    Some(out)
}

/// The value of an option, as `--name value` or `--name=value`.
fn option<'a>(cmdline: &'a [Name], name: &str) -> Option<&'a [u8]> {
    let words: Vec<&[u8]> = cmdline.iter().map(Name::as_bytes).collect();
    words.iter().enumerate().find_map(|(i, word)| match word.strip_prefix(name.as_bytes())? {
        [] => words.get(i + 1).copied(),
        [b'=', value @ ..] => Some(value),
        _ => None,
    })
}

/// A part of a name: lower-case, and what is before a space.
fn part(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.split_ascii_whitespace().next().unwrap_or_default().to_ascii_lowercase()
}

/// The path of a test below the folder of tests that the runner was given, or that they are installed in.
fn below_root<'a>(program: &'a [u8], runner: Option<&Process>) -> &'a [u8] {
    // The last two: the folder of the tests, and that of the results.
    let given =
        runner.map(|runner| runner.cmdline.as_slice()).unwrap_or_default().iter().skip(1).rev().take(2);
    let roots = given.map(Name::as_bytes).chain([b"igt-gpu-tools".as_slice()]);
    let below = roots.filter_map(|root| {
        let root = root.strip_suffix(b"/").unwrap_or(root);
        if root.is_empty() || root.starts_with(b"-") {
            return None;
        }
        // Where it was given from another folder, only the end of the path is the same.
        let at = program.windows(root.len()).rposition(|part| part == root)?;
        let whole = at == 0 || program.get(at.checked_sub(1)?) == Some(&b'/');
        program.get(at + root.len()..)?.strip_prefix(b"/").filter(|_| whole)
    });
    below.min_by_key(|path| path.len()).unwrap_or_else(|| base_name(program))
}

/// The one test or file that `pytest` was asked for.
pub(super) fn pytest(cmdline: &[Name]) -> Option<String> {
    let arguments = cmdline.get(script(cmdline) + 1..)?;
    let is_test = |word: &&Name| {
        let word = word.to_str_lossy();
        !word.starts_with('-') && (word.contains("::") || word.ends_with(".py"))
    };
    let mut tests = arguments.iter().filter(is_test);
    let first = tests.next()?;
    tests.next().is_none().then(|| first.to_str_lossy().into_owned())
}

/// The test of a build folder that a command line runs; `None` when there is none, or it cannot be told which.
///
/// It may be in the middle of the command line: an interpreter, a wrapper or an emulator comes before, and what the runner was told to
/// add comes behind.
pub(super) fn case<'a>(cases: &'a [TestCase], cmdline: &[Name]) -> Option<&'a TestCase> {
    let fit = |case: &&'a TestCase| {
        let command = case.command.as_slice();
        let parts = cmdline.windows(command.len().max(1));
        parts.into_iter().any(|part| is_command(part, command))
    };
    let most = cases.iter().filter(fit).map(|case| case.command.len()).max()?;
    let mut best = cases.iter().filter(|case| case.command.len() == most).filter(fit);
    let first = best.next()?;
    best.all(|case| case.name == first.name && case.suite == first.suite).then_some(first)
}

/// Are these words the command? Its program may have been looked up in `PATH` or made absolute.
fn is_command(words: &[Name], command: &[Name]) -> bool {
    let (Some((program, rest)), Some((wanted, wanted_rest))) = (words.split_first(), command.split_first())
    else {
        return false;
    };
    let (program, wanted) = (program.as_bytes(), wanted.as_bytes());
    let relative = wanted.strip_prefix(b"./").unwrap_or(wanted);
    let found = program.strip_suffix(relative).is_some_and(|before| before.ends_with(b"/"));
    rest == wanted_rest && (program == wanted || (!relative.is_empty() && found))
}

/// The program's name and its arguments.
pub(super) fn in_words(cmdline: &[Name]) -> Option<String> {
    let (program, arguments) = cmdline.get(script(cmdline)..)?.split_first()?;
    let name = String::from_utf8_lossy(base_name(program.as_bytes())).into_owned();
    let words = [name].into_iter().chain(arguments.iter().map(|word| word.to_str_lossy().into_owned()));
    Some(words.collect::<Vec<_>>().join(" "))
}

/// The test among the processes below `make`, the innermost first: what automake's driver was told, or the first program that is not
/// there to run others.
pub(super) fn below_make(inner: &[&Process]) -> Option<String> {
    let outermost_first = || inner.iter().rev().map(|process| process.cmdline.as_slice());
    let driven = outermost_first().find_map(|cmdline| {
        let program = base_name(cmdline.get(script(cmdline))?.as_bytes());
        let name = option(cmdline, "--test-name").filter(|_| program.ends_with(b"-driver"))?;
        Some(String::from_utf8_lossy(name).into_owned())
    });
    driven.or_else(|| {
        let cmdline = outermost_first().find(|cmdline| !is_of_make(cmdline))?;
        let program = base_name(cmdline.get(script(cmdline))?.as_bytes());
        Some(String::from_utf8_lossy(program).into_owned())
    })
}

/// Is it a recipe's shell, or another `make`?
fn is_of_make(cmdline: &[Name]) -> bool {
    let words: Vec<&[u8]> = cmdline.iter().map(Name::as_bytes).collect();
    match words.as_slice() {
        [] => true,
        [shell, flag, ..] if base_name(shell).ends_with(b"sh") && flag.starts_with(b"-") => {
            flag.ends_with(b"c")
        }
        [program, ..] => matches!(base_name(program), b"make" | b"gmake"),
    }
}
