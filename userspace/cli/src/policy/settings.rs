//! What counts of what options and the configuration say: an option over the file, the file over nothing.

use std::path::{Path, PathBuf};

use gemscope_policy::Config;

use crate::args::PolicyArgs;
use crate::place::Place;

/// The baseline where there is none named.
const BASELINE: &str = "gemscope-baseline.toml";

/// A baseline, and what to do with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Base {
    pub path: PathBuf,
    /// take out of it what does not occur any more, or make it
    pub update: bool,
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Settings {
    /// files of suppressions: those of the configuration first
    pub suppressions: Vec<PathBuf>,
    pub baseline: Option<Base>,
    /// where generated suppressions go
    pub stanzas: Option<Place>,
}

/// Merges both. What the configuration names begins at its `folder`.
pub fn settings(args: &PolicyArgs, config: &Config, folder: &Path) -> Settings {
    let theirs = config.check.suppressions.iter().map(|path| folder.join(path));
    let of_file = || config.check.baseline.as_ref().map(|path| folder.join(path));
    let made = || args.update_baseline.then(|| PathBuf::from(BASELINE));
    let path = args.baseline.clone().or_else(of_file).or_else(made);
    Settings {
        suppressions: theirs.chain(args.suppress.iter().cloned()).collect(),
        baseline: path.map(|path| Base { path, update: args.update_baseline }),
        stanzas: args.gen_suppressions.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(args: PolicyArgs, config: &str, baseline: Option<&str>, suppressions: &[&str]) {
        let config = Config::parse(config, "").unwrap();
        let made = settings(&args, &config, Path::new("ci"));
        let update = args.update_baseline;
        assert_eq!(made.baseline, baseline.map(|path| Base { path: path.into(), update }));
        assert_eq!(made.suppressions, suppressions.iter().map(PathBuf::from).collect::<Vec<_>>());
    }

    #[test]
    fn options_win_over_the_file() {
        let file = "[check]\nbaseline = \"b\"\nsuppressions = \"s\"\n";
        let none = PolicyArgs::default;
        check(none(), "", None, &[]);
        check(none(), file, Some("ci/b"), &["ci/s"]);
        check(PolicyArgs { update_baseline: true, ..none() }, "", Some(BASELINE), &[]);
        check(PolicyArgs { update_baseline: true, ..none() }, file, Some("ci/b"), &["ci/s"]);
        check(PolicyArgs { baseline: Some("x".into()), ..none() }, file, Some("x"), &["ci/s"]);
        check(PolicyArgs { suppress: vec!["t".into()], ..none() }, file, Some("ci/b"), &["ci/s", "t"]);
    }
}
