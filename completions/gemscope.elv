
use builtin;
use str;

set edit:completion:arg-completer[gemscope] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'gemscope'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'gemscope'= {
            cand --color 'When to use colours'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand demo 'Replay a bundled trace of a real kernel: no root, no GPU'
            cand top 'Watch every buffer live: who holds it, how it grows, what went wrong'
            cand check 'Run a command and assert that it leaks no buffer and breaks no rule'
            cand record 'Write what the kernel does into a trace'
            cand mark 'Set a mark in what another gemscope watches: here, the program should be where it was at the last one'
            cand replay 'Judge a trace, on any machine'
            cand snapshot 'Who holds which buffer now: fds, mappings, attached devices, DRM files'
            cand export 'Make another tool''s file of a trace: Perfetto, folded stacks, CSV, JSON lines'
            cand report 'Write the report of a trace as one HTML page, for people who do not have it'
            cand explore 'Ask what a kernel would do: every interleaving of a small scenario, by the rules of any era'
            cand explain 'What a rule or an assertion means; without one, all of them'
            cand doctor 'What this kernel offers and what is missing, rule by rule'
            cand probes 'Every probe: where it sits, what it serves, what is blind without it'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'gemscope;demo'= {
            cand --color 'When to use colours'
            cand --json 'Print JSON lines'
            cand --events 'Print the bundled trace''s records too'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;top'= {
            cand --replay 'Go through this trace instead of watching the kernel: no root, no GPU'
            cand --source 'Take the records of one run of a scenario in the model instead of the kernel''s: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`'
            cand --seed 'Which interleaving runs: the same number always gives the same one'
            cand -o 'Write a trace of what is watched too'
            cand --output 'Write a trace of what is watched too'
            cand -d 'Seconds between two looks at the state [default: 0.5 on a terminal, 2 as text]'
            cand --delay 'Seconds between two looks at the state [default: 0.5 on a terminal, 2 as text]'
            cand -n 'Print as text, so many times; without a terminal, text is printed until the end'
            cand --iterations 'Print as text, so many times; without a terminal, text is printed until the end'
            cand -p 'Only this process; may be given again. What filters leave out cannot be judged'
            cand --pid 'Only this process; may be given again. What filters leave out cannot be judged'
            cand --comm 'Only threads of this name'
            cand --cgroup 'Only processes of this cgroup: a path below /sys/fs/cgroup or an id'
            cand --device 'Only this device: a node as card0 or /dev/dri/renderD128, or a driver''s name'
            cand --ring-size 'Size of the ring buffer, as 512K or 64M [default: 8M]'
            cand --hot 'Attach this probe although it fires often; may be given again'
            cand --deny 'Do not attach this probe; may be given again'
            cand --color 'When to use colours'
            cand --worst 'Run the shortest interleaving that goes wrong, if there is one'
            cand --raw-addresses 'Store kernel addresses as they are instead of stand-ins'
            cand --tree 'With --pid, also the processes that it starts'
            cand --no-stacks 'Take no stacks'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;check'= {
            cand --trace 'Judge this trace instead of running a command'
            cand --source 'Take the records of one run of a scenario in the model instead of the kernel''s: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`'
            cand --seed 'Which interleaving runs: the same number always gives the same one'
            cand -o 'Write a trace too; without CMD, `-` is stdout'
            cand --output 'Write a trace too; without CMD, `-` is stdout'
            cand --trace-on-failure 'Write a trace, and keep it only if the verdict is not clean'
            cand --trace-limit 'Keep at most this much for that trace, as 64M: its end, in memory; without it, the whole trace goes to the disk first'
            cand --report 'Write a report to this file, `-` for stdout, as text, jsonl, junit, sarif, ktap, github, markdown or html; without FORMAT the report that goes to stderr else. May be given several times'
            cand --at-exit 'What to make of things open when the command''s processes end normally [default: strict]'
            cand --grace 'Wait this long for the kernel to finish what the command began, in milliseconds [default: 2000]'
            cand --timeout 'Stop the command after this many seconds; the verdict is undecided then'
            cand --failing-command 'What to make of CMD when it fails and nothing is found [default: warn]'
            cand --undecided 'What to make of an undecided verdict [default: fail]'
            cand --budget 'At most so much at once, as handles=12, dma-bufs=8, attachments=0, framebuffers=4, objects=64 or bytes=64M; may be given again'
            cand --at-least 'At some moment at least so much at once, as handles=1: tests that skip themselves are no clean run; may be given again'
            cand --max-growth 'From the first mark to the last at most so much more, as handles=2; a number alone is for handles, dma-bufs, attachments and framebuffers each; may be given again'
            cand --older 'Nothing that was taken since the start is held for longer than this'
            cand --warm-up 'So many cycles, or marks of one name, are left out at the beginning while pools fill [default: a quarter]'
            cand --scope 'Judge these too, beside CMD and what it starts: pid:N or comm:NAME and what they start, cgroup:PATH, or the whole machine; may be given again'
            cand --survivor 'A process of this name outlives CMD on purpose: it is not waited for, and what it holds is no leak; may be given again'
            cand -d 'Without CMD: judge what happens in so many seconds'
            cand --duration 'Without CMD: judge what happens in so many seconds'
            cand --cycles 'Take CMD as an action that is done so often, and find what grows with it, in whatever process'
            cand --pause 'After each cycle, give the watched processes this long to finish, in milliseconds [default: 100]'
            cand --control 'Listen for `mark NAME` on a socket at this path instead of one without a file'
            cand --config 'Read settings and suppressions from this file [default: gemscope.toml, if it is there]'
            cand --suppress 'Read suppressions from this file too; may be given again'
            cand --gen-suppressions 'Print a suppression for each finding that stands, or write them to a new file; each needs a reason filled in. When they are printed the report goes to stderr'
            cand --baseline 'Accept what this file says was there before, and no more of it'
            cand -p 'Only this process; may be given again. What filters leave out cannot be judged'
            cand --pid 'Only this process; may be given again. What filters leave out cannot be judged'
            cand --comm 'Only threads of this name'
            cand --cgroup 'Only processes of this cgroup: a path below /sys/fs/cgroup or an id'
            cand --device 'Only this device: a node as card0 or /dev/dri/renderD128, or a driver''s name'
            cand --ring-size 'Size of the ring buffer, as 512K or 64M [default: 8M]'
            cand --hot 'Attach this probe although it fires often; may be given again'
            cand --deny 'Do not attach this probe; may be given again'
            cand --in-vm 'Run it in a virtual machine with this kernel: 5.10, 6.1, 6.12, 6.18, newest, a package as linux-image-6.1.0-56-amd64, or an image as /boot/vmlinuz-6.1.0-56-amd64'
            cand --in-vm-modules 'The modules of an image [default: /lib/modules/RELEASE]'
            cand --vm-device 'A device beside vgem: virtio-gpu, bochs, qxl, udmabuf; may be given again [default: virtio-gpu and udmabuf, where the kernel has them]'
            cand --vm-memory 'Its memory, in MiB; what CMD writes is in it too'
            cand --vm-files 'How CMD gets at the host''s files [default: shared, where QEMU and the kernel can]'
            cand --vm-copy 'With copied files, copy this file or folder too; may be given again'
            cand --vm-out 'Bring this file or folder back that CMD writes; may be given again'
            cand --color 'When to use colours'
            cand --worst 'Run the shortest interleaving that goes wrong, if there is one'
            cand --json 'Report as JSON lines'
            cand --no-config 'Leave gemscope.toml alone'
            cand --update-baseline 'Take out of the baseline what is not found any more; where there is no baseline, make one of what is found [default file: gemscope-baseline.toml]'
            cand --tree 'With --pid, also the processes that it starts'
            cand --no-stacks 'Take no stacks'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;record'= {
            cand -o 'The trace to write; without CMD, `-` is stdout'
            cand --output 'The trace to write; without CMD, `-` is stdout'
            cand -d 'Stop after this many seconds'
            cand --duration 'Stop after this many seconds'
            cand --grace 'Wait this long for the kernel to finish what the command began, in milliseconds'
            cand --ring 'Keep the last records in memory, this much of encoded trace, as 64M; write them when something is found. The buffer of the kernel is --ring-size'
            cand --after 'Write so long after a finding that what follows is in the trace too, or before the finding is out of the ring'
            cand --keep 'Write at most so many traces because of findings'
            cand --source 'Take the records of one run of a scenario in the model instead of the kernel''s: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`'
            cand --seed 'Which interleaving runs: the same number always gives the same one'
            cand -p 'Only this process; may be given again. What filters leave out cannot be judged'
            cand --pid 'Only this process; may be given again. What filters leave out cannot be judged'
            cand --comm 'Only threads of this name'
            cand --cgroup 'Only processes of this cgroup: a path below /sys/fs/cgroup or an id'
            cand --device 'Only this device: a node as card0 or /dev/dri/renderD128, or a driver''s name'
            cand --ring-size 'Size of the ring buffer, as 512K or 64M [default: 8M]'
            cand --hot 'Attach this probe although it fires often; may be given again'
            cand --deny 'Do not attach this probe; may be given again'
            cand --color 'When to use colours'
            cand --raw-addresses 'Store kernel addresses as they are instead of stand-ins'
            cand --at-end 'Write at the end too, whatever was found'
            cand --worst 'Run the shortest interleaving that goes wrong, if there is one'
            cand --tree 'With --pid, also the processes that it starts'
            cand --no-stacks 'Take no stacks'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;mark'= {
            cand --to 'Which gemscope: its pid or its socket [default: the one that runs this, or the only one]'
            cand --color 'When to use colours'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;replay'= {
            cand --until 'Stop after the record with this number; what was pending then is not judged'
            cand --profile 'Judge by the rules of another kernel era'
            cand --at-exit 'What to make of things open at a normal exit [default: as recorded]'
            cand --undecided 'What to make of an undecided verdict [default: fail]'
            cand --budget 'At most so much at once, as handles=12, dma-bufs=8, attachments=0, framebuffers=4, objects=64 or bytes=64M; may be given again'
            cand --at-least 'At some moment at least so much at once, as handles=1: tests that skip themselves are no clean run; may be given again'
            cand --max-growth 'From the first mark to the last at most so much more, as handles=2; a number alone is for handles, dma-bufs, attachments and framebuffers each; may be given again'
            cand --older 'Nothing that was taken since the start is held for longer than this'
            cand --warm-up 'So many cycles, or marks of one name, are left out at the beginning while pools fill [default: a quarter]'
            cand --what-if 'Instead of judging, make the recorded operations again by the rules of another kernel: a profile, with +feature and -feature'
            cand --report 'Write a report to this file, `-` for stdout, as text, jsonl, junit, sarif, ktap, github, markdown or html; without FORMAT the report that goes to stdout else. May be given several times'
            cand --config 'Read settings and suppressions from this file [default: gemscope.toml, if it is there]'
            cand --suppress 'Read suppressions from this file too; may be given again'
            cand --gen-suppressions 'Print a suppression for each finding that stands, or write them to a new file; each needs a reason filled in. When they are printed the report goes to stderr'
            cand --baseline 'Accept what this file says was there before, and no more of it'
            cand --color 'When to use colours'
            cand --events 'Print every record as a line before the report'
            cand --conformance 'Instead of judging, compare every record with what the model of the recorded kernel predicts'
            cand --json 'Print JSON lines'
            cand --no-config 'Leave gemscope.toml alone'
            cand --update-baseline 'Take out of the baseline what is not found any more; where there is no baseline, make one of what is found [default file: gemscope-baseline.toml]'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;snapshot'= {
            cand -p 'Only what this process has; may be given again'
            cand --pid 'Only what this process has; may be given again'
            cand --comm 'Only what processes of this name have; may be given again'
            cand --by 'What the tree begins with'
            cand --sort 'The order of dma-bufs'
            cand -o 'Write to this file instead of stdout'
            cand --output 'Write to this file instead of stdout'
            cand --diff 'Compare two snapshots that were saved with --json, the older one first'
            cand --color 'When to use colours'
            cand --json 'Print JSON lines, which `--diff` can compare'
            cand --csv 'Print a grid for spreadsheets: a row for each dma-buf, two columns for each process'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;export'= {
            cand -f 'What to make of it'
            cand --format 'What to make of it'
            cand -o 'Write to this file instead of stdout'
            cand --output 'Write to this file instead of stdout'
            cand --until 'Stop after the record with this number'
            cand --table 'csv: which table [default: events]'
            cand --value 'folded: what a stack''s number is [default: bytes]'
            cand --what 'folded: which references [default: all, told apart by the second frame]'
            cand --at 'folded: at which moment: `end`, `peak` (most bytes in live buffers; with `--value count`, most live handles), or after the record with this number [default: end]'
            cand --since 'folded: two numbers for each stack: what stood after this record, and what stood at the moment of --at'
            cand --source 'Take the records of one run of a scenario in the model instead of a file: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`'
            cand --seed 'Which interleaving runs: the same number always gives the same one'
            cand --color 'When to use colours'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;report'= {
            cand -o 'The page to write; `-` for stdout'
            cand --output 'The page to write; `-` for stdout'
            cand --profile 'Judge by the rules of another kernel era'
            cand --at-exit 'What to make of things open at a normal exit [default: as recorded]'
            cand --source 'Instead of a trace one run of a scenario in the model: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`'
            cand --seed 'Which interleaving runs: the same number always gives the same one'
            cand --color 'When to use colours'
            cand --worst 'Run the shortest interleaving that goes wrong, if there is one'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;explore'= {
            cand --profile 'By the rules of this kernel: a profile, and +FEATURE or -FEATURE after it; `all` is every profile; may be given again [default: the newest]'
            cand -o 'Write the shortest bad interleaving as a trace; with `-` to stdout, and what is told to stderr'
            cand --output 'Write the shortest bad interleaving as a trace; with `-` to stdout, and what is told to stderr'
            cand --memory 'Memory for states, as 512M or 8G'
            cand -j 'Threads to work with [default: one for each processor]'
            cand --jobs 'Threads to work with [default: one for each processor]'
            cand --color 'When to use colours'
            cand --list 'List the scenarios that come with gemscope'
            cand --json 'Print JSON lines'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;explain'= {
            cand --color 'When to use colours'
            cand --json 'Print JSON lines'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;doctor'= {
            cand --image 'Answer for this kernel image (vmlinuz or vmlinux) instead of the running kernel'
            cand --modules 'Its modules: the directory /lib/modules/RELEASE'
            cand --deny 'Answer as if this probe were not attached; may be given again'
            cand --color 'When to use colours'
            cand --json 'Print JSON lines'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;probes'= {
            cand --color 'When to use colours'
            cand --json 'Print JSON lines'
            cand -v 'Tell what is being done; twice, also what the programs in the kernel say'
            cand --verbose 'Tell what is being done; twice, also what the programs in the kernel say'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'gemscope;help'= {
            cand demo 'Replay a bundled trace of a real kernel: no root, no GPU'
            cand top 'Watch every buffer live: who holds it, how it grows, what went wrong'
            cand check 'Run a command and assert that it leaks no buffer and breaks no rule'
            cand record 'Write what the kernel does into a trace'
            cand mark 'Set a mark in what another gemscope watches: here, the program should be where it was at the last one'
            cand replay 'Judge a trace, on any machine'
            cand snapshot 'Who holds which buffer now: fds, mappings, attached devices, DRM files'
            cand export 'Make another tool''s file of a trace: Perfetto, folded stacks, CSV, JSON lines'
            cand report 'Write the report of a trace as one HTML page, for people who do not have it'
            cand explore 'Ask what a kernel would do: every interleaving of a small scenario, by the rules of any era'
            cand explain 'What a rule or an assertion means; without one, all of them'
            cand doctor 'What this kernel offers and what is missing, rule by rule'
            cand probes 'Every probe: where it sits, what it serves, what is blind without it'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'gemscope;help;demo'= {
        }
        &'gemscope;help;top'= {
        }
        &'gemscope;help;check'= {
        }
        &'gemscope;help;record'= {
        }
        &'gemscope;help;mark'= {
        }
        &'gemscope;help;replay'= {
        }
        &'gemscope;help;snapshot'= {
        }
        &'gemscope;help;export'= {
        }
        &'gemscope;help;report'= {
        }
        &'gemscope;help;explore'= {
        }
        &'gemscope;help;explain'= {
        }
        &'gemscope;help;doctor'= {
        }
        &'gemscope;help;probes'= {
        }
        &'gemscope;help;help'= {
        }
    ]
    $completions[$command]
}
