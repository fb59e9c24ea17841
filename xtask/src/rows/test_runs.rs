//! Runs of tests, one that leaks and one that does not: the finding is told to belong to the test that it is of.
//!
//! The runners are stand-ins of a few lines, called as the real ones are and calling their tests as those do.

use super::row::{ON_6_18, Row, row};
use crate::expect::Expect::{self, Line, Lines as Count};
use crate::expect::Is::{Counts, Number, Text};

/// One leak, and it is of this test.
macro_rules! of_test {
    ($runner:literal, $name:literal) => {
        &[
            Line(&[
                ("/type", Text("summary")),
                ("/verdict", Text("findings")),
                ("/lost", Number(0)),
                ("/by_rule", Counts(&[("handle-leak", 1)])),
            ]),
            Count(1, &[("/type", Text("finding"))]),
            Line(&[("/type", Text("finding")), ("/test/runner", Text($runner)), ("/test/name", Text($name))]),
        ]
    };
}

const IGT: &[Expect] = of_test!("igt", "igt@kms_foo@leaks");
const CTEST: &[Expect] = of_test!("ctest", "buffers [left open]");

/// The subtest is in the command line of the test.
pub const BY_COMMAND: Row = row(
    "tests-of-igt",
    "mkdir tests; cat >tests/kms_foo <<'END'\n\
     #!/bin/sh\n\
     case $2 in leaks) gemclient forget-gem-close ;; clean) gemclient six-step ;; esac\n\
     END\n\
     cat >igt_runner <<'END'\n\
     #!/bin/sh\n\
     for subtest in clean leaks clean; do \"$1/kms_foo\" --run-subtest $subtest || exit; done\n\
     END\n\
     chmod 755 igt_runner tests/kms_foo; judged -- ./igt_runner \"$PWD/tests\" results",
    IGT,
)
.code(1)
.usually(ON_6_18);

/// The name is only in the build folder, which the trace has to bring along. The test takes a moment, as real ones do: of a process that is over
/// in a few milliseconds, a busy machine comes too late to read the command line.
pub const BY_BUILD_FOLDER: Row = row(
    "tests-of-ctest",
    "mkdir -p build/sub; echo 'subdirs(\"sub\")' >build/CTestTestfile.cmake\n\
     cat >build/sub/CTestTestfile.cmake <<'END'\n\
     add_test(\"buffers [closed]\" \"/usr/bin/gemclient\" \"six-step\")\n\
     add_test([=[buffers [left open]]=] \"/usr/bin/gemclient\" \"growth\" \"--cycles\" \"2000\" \"--leak-every\" \"2000\")\n\
     END\n\
     cat >ctest <<'END'\n\
     #!/bin/sh\n\
     cd $2/sub && /usr/bin/gemclient six-step && /usr/bin/gemclient growth --cycles 2000 --leak-every 2000\n\
     END\n\
     chmod 755 ctest; replayed ./ctest --test-dir build",
    CTEST,
)
.code(1)
.usually(ON_6_18);
