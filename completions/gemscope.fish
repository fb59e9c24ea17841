# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_gemscope_global_optspecs
    string join \n color= v/verbose h/help V/version
end

function __fish_gemscope_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_gemscope_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_gemscope_using_subcommand
    set -l cmd (__fish_gemscope_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c gemscope -n "__fish_gemscope_needs_command" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_needs_command" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_needs_command" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "demo" -d 'Replay a bundled trace of a real kernel: no root, no GPU'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "top" -d 'Watch every buffer live: who holds it, how it grows, what went wrong'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "check" -d 'Run a command and assert that it leaks no buffer and breaks no rule'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "record" -d 'Write what the kernel does into a trace'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "mark" -d 'Set a mark in what another gemscope watches: here, the program should be where it was at the last one'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "replay" -d 'Judge a trace, on any machine'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "snapshot" -d 'Who holds which buffer now: fds, mappings, attached devices, DRM files'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "export" -d 'Make another tool\'s file of a trace: Perfetto, folded stacks, CSV, JSON lines'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "report" -d 'Write the report of a trace as one HTML page, for people who do not have it'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "explore" -d 'Ask what a kernel would do: every interleaving of a small scenario, by the rules of any era'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "explain" -d 'What a rule or an assertion means; without one, all of them'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "doctor" -d 'What this kernel offers and what is missing, rule by rule'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "probes" -d 'Every probe: where it sits, what it serves, what is blind without it'
complete -c gemscope -n "__fish_gemscope_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gemscope -n "__fish_gemscope_using_subcommand demo" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand demo" -l json -d 'Print JSON lines'
complete -c gemscope -n "__fish_gemscope_using_subcommand demo" -l events -d 'Print the bundled trace\'s records too'
complete -c gemscope -n "__fish_gemscope_using_subcommand demo" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand demo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand demo" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l replay -d 'Go through this trace instead of watching the kernel: no root, no GPU' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l source -d 'Take the records of one run of a scenario in the model instead of the kernel\'s: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l seed -d 'Which interleaving runs: the same number always gives the same one' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -s o -l output -d 'Write a trace of what is watched too' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -s d -l delay -d 'Seconds between two looks at the state [default: 0.5 on a terminal, 2 as text]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -s n -l iterations -d 'Print as text, so many times; without a terminal, text is printed until the end' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -s p -l pid -d 'Only this process; may be given again. What filters leave out cannot be judged' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l comm -d 'Only threads of this name' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l cgroup -d 'Only processes of this cgroup: a path below /sys/fs/cgroup or an id' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l device -d 'Only this device: a node as card0 or /dev/dri/renderD128, or a driver\'s name' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l ring-size -d 'Size of the ring buffer, as 512K or 64M [default: 8M]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l hot -d 'Attach this probe although it fires often; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l deny -d 'Do not attach this probe; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l worst -d 'Run the shortest interleaving that goes wrong, if there is one'
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l raw-addresses -d 'Store kernel addresses as they are instead of stand-ins'
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l tree -d 'With --pid, also the processes that it starts'
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -l no-stacks -d 'Take no stacks'
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand top" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l trace -d 'Judge this trace instead of running a command' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l source -d 'Take the records of one run of a scenario in the model instead of the kernel\'s: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l seed -d 'Which interleaving runs: the same number always gives the same one' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -s o -l output -d 'Write a trace too; without CMD, `-` is stdout' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l trace-on-failure -d 'Write a trace, and keep it only if the verdict is not clean' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l trace-limit -d 'Keep at most this much for that trace, as 64M: its end, in memory; without it, the whole trace goes to the disk first' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l report -d 'Write a report to this file, `-` for stdout, as text, jsonl, junit, sarif, ktap, github, markdown or html; without FORMAT the report that goes to stderr else. May be given several times' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l at-exit -d 'What to make of things open when the command\'s processes end normally [default: strict]' -r -f -a "strict\t'They are findings'
growth\t'Only stacks whose count grew with use are findings'
ignore\t'They are left out'"
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l grace -d 'Wait this long for the kernel to finish what the command began, in milliseconds [default: 2000]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l timeout -d 'Stop the command after this many seconds; the verdict is undecided then' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l failing-command -d 'What to make of CMD when it fails and nothing is found [default: warn]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l undecided -d 'What to make of an undecided verdict [default: fail]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l budget -d 'At most so much at once, as handles=12, dma-bufs=8, attachments=0, framebuffers=4, objects=64 or bytes=64M; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l at-least -d 'At some moment at least so much at once, as handles=1: tests that skip themselves are no clean run; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l max-growth -d 'From the first mark to the last at most so much more, as handles=2; a number alone is for handles, dma-bufs, attachments and framebuffers each; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l older -d 'Nothing that was taken since the start is held for longer than this' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l warm-up -d 'So many cycles, or marks of one name, are left out at the beginning while pools fill [default: a quarter]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l scope -d 'Judge these too, beside CMD and what it starts: pid:N or comm:NAME and what they start, cgroup:PATH, or the whole machine; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l survivor -d 'A process of this name outlives CMD on purpose: it is not waited for, and what it holds is no leak; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -s d -l duration -d 'Without CMD: judge what happens in so many seconds' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l cycles -d 'Take CMD as an action that is done so often, and find what grows with it, in whatever process' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l pause -d 'After each cycle, give the watched processes this long to finish, in milliseconds [default: 100]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l control -d 'Listen for `mark NAME` on a socket at this path instead of one without a file' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l config -d 'Read settings and suppressions from this file [default: gemscope.toml, if it is there]' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l suppress -d 'Read suppressions from this file too; may be given again' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l gen-suppressions -d 'Print a suppression for each finding that stands, or write them to a new file; each needs a reason filled in. When they are printed the report goes to stderr' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l baseline -d 'Accept what this file says was there before, and no more of it' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -s p -l pid -d 'Only this process; may be given again. What filters leave out cannot be judged' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l comm -d 'Only threads of this name' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l cgroup -d 'Only processes of this cgroup: a path below /sys/fs/cgroup or an id' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l device -d 'Only this device: a node as card0 or /dev/dri/renderD128, or a driver\'s name' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l ring-size -d 'Size of the ring buffer, as 512K or 64M [default: 8M]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l hot -d 'Attach this probe although it fires often; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l deny -d 'Do not attach this probe; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l in-vm -d 'Run it in a virtual machine with this kernel: 5.10, 6.1, 6.12, 6.18, newest, a package as linux-image-6.1.0-56-amd64, or an image as /boot/vmlinuz-6.1.0-56-amd64' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l in-vm-modules -d 'The modules of an image [default: /lib/modules/RELEASE]' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l vm-device -d 'A device beside vgem: virtio-gpu, bochs, qxl, udmabuf; may be given again [default: virtio-gpu and udmabuf, where the kernel has them]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l vm-memory -d 'Its memory, in MiB; what CMD writes is in it too' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l vm-files -d 'How CMD gets at the host\'s files [default: shared, where QEMU and the kernel can]' -r -f -a "shared\t'All of them can be read there, by 9p'
copied\t'CMD\'s program and its libraries are copied, and what --vm-copy names'"
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l vm-copy -d 'With copied files, copy this file or folder too; may be given again' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l vm-out -d 'Bring this file or folder back that CMD writes; may be given again' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l worst -d 'Run the shortest interleaving that goes wrong, if there is one'
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l json -d 'Report as JSON lines'
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l no-config -d 'Leave gemscope.toml alone'
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l update-baseline -d 'Take out of the baseline what is not found any more; where there is no baseline, make one of what is found [default file: gemscope-baseline.toml]'
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l tree -d 'With --pid, also the processes that it starts'
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -l no-stacks -d 'Take no stacks'
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand check" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -s o -l output -d 'The trace to write; without CMD, `-` is stdout' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -s d -l duration -d 'Stop after this many seconds' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l grace -d 'Wait this long for the kernel to finish what the command began, in milliseconds' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l ring -d 'Keep the last records in memory, this much of encoded trace, as 64M; write them when something is found. The buffer of the kernel is --ring-size' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l after -d 'Write so long after a finding that what follows is in the trace too, or before the finding is out of the ring' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l keep -d 'Write at most so many traces because of findings' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l source -d 'Take the records of one run of a scenario in the model instead of the kernel\'s: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l seed -d 'Which interleaving runs: the same number always gives the same one' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -s p -l pid -d 'Only this process; may be given again. What filters leave out cannot be judged' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l comm -d 'Only threads of this name' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l cgroup -d 'Only processes of this cgroup: a path below /sys/fs/cgroup or an id' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l device -d 'Only this device: a node as card0 or /dev/dri/renderD128, or a driver\'s name' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l ring-size -d 'Size of the ring buffer, as 512K or 64M [default: 8M]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l hot -d 'Attach this probe although it fires often; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l deny -d 'Do not attach this probe; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l raw-addresses -d 'Store kernel addresses as they are instead of stand-ins'
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l at-end -d 'Write at the end too, whatever was found'
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l worst -d 'Run the shortest interleaving that goes wrong, if there is one'
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l tree -d 'With --pid, also the processes that it starts'
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -l no-stacks -d 'Take no stacks'
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand record" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand mark" -l to -d 'Which gemscope: its pid or its socket [default: the one that runs this, or the only one]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand mark" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand mark" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand mark" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand mark" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l until -d 'Stop after the record with this number; what was pending then is not judged' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l profile -d 'Judge by the rules of another kernel era' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l at-exit -d 'What to make of things open at a normal exit [default: as recorded]' -r -f -a "strict\t'They are findings'
growth\t'Only stacks whose count grew with use are findings'
ignore\t'They are left out'"
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l undecided -d 'What to make of an undecided verdict [default: fail]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l budget -d 'At most so much at once, as handles=12, dma-bufs=8, attachments=0, framebuffers=4, objects=64 or bytes=64M; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l at-least -d 'At some moment at least so much at once, as handles=1: tests that skip themselves are no clean run; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l max-growth -d 'From the first mark to the last at most so much more, as handles=2; a number alone is for handles, dma-bufs, attachments and framebuffers each; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l older -d 'Nothing that was taken since the start is held for longer than this' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l warm-up -d 'So many cycles, or marks of one name, are left out at the beginning while pools fill [default: a quarter]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l what-if -d 'Instead of judging, make the recorded operations again by the rules of another kernel: a profile, with +feature and -feature' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l report -d 'Write a report to this file, `-` for stdout, as text, jsonl, junit, sarif, ktap, github, markdown or html; without FORMAT the report that goes to stdout else. May be given several times' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l config -d 'Read settings and suppressions from this file [default: gemscope.toml, if it is there]' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l suppress -d 'Read suppressions from this file too; may be given again' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l gen-suppressions -d 'Print a suppression for each finding that stands, or write them to a new file; each needs a reason filled in. When they are printed the report goes to stderr' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l baseline -d 'Accept what this file says was there before, and no more of it' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l events -d 'Print every record as a line before the report'
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l conformance -d 'Instead of judging, compare every record with what the model of the recorded kernel predicts'
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l json -d 'Print JSON lines'
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l no-config -d 'Leave gemscope.toml alone'
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -l update-baseline -d 'Take out of the baseline what is not found any more; where there is no baseline, make one of what is found [default file: gemscope-baseline.toml]'
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand replay" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -s p -l pid -d 'Only what this process has; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -l comm -d 'Only what processes of this name have; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -l by -d 'What the tree begins with' -r -f -a "buffer\t'Dma-bufs, and who holds each'
process\t'Processes, and what each holds'"
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -l sort -d 'The order of dma-bufs' -r -f -a "size\t'The biggest first'
holders\t'Those that most processes hold first'
inode\t'The oldest first'"
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -s o -l output -d 'Write to this file instead of stdout' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -l diff -d 'Compare two snapshots that were saved with --json, the older one first' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -l json -d 'Print JSON lines, which `--diff` can compare'
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -l csv -d 'Print a grid for spreadsheets: a row for each dma-buf, two columns for each process'
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand snapshot" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -s f -l format -d 'What to make of it' -r -f -a "perfetto\t'Perfetto\'s native trace: tracks of processes, files, handles and buffers, flows, counters'
folded\t'Folded stacks for flame graphs: what stands, by the stacks that took it'
csv\t'A table with commas'
jsonl\t'JSON lines: everything that happened, then everything that was found'"
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -s o -l output -d 'Write to this file instead of stdout' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -l until -d 'Stop after the record with this number' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -l table -d 'csv: which table [default: events]' -r -f -a "events\t'Everything that happened, in order'
buffers\t'What buffers live at the end'
processes\t'Who holds something at the end'
sites\t'Where what stands at the end was taken'
findings\t'Findings and near misses'"
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -l value -d 'folded: what a stack\'s number is [default: bytes]' -r -f -a "bytes\t'Bytes of the buffers referred to'
count\t'References'"
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -l what -d 'folded: which references [default: all, told apart by the second frame]' -r -f -a "handles\t'GEM handles'
fds\t'dma-buf fds'
attachments\t'Attachments of devices'
framebuffers\t'Framebuffers'
all\t'All of them'"
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -l at -d 'folded: at which moment: `end`, `peak` (most bytes in live buffers; with `--value count`, most live handles), or after the record with this number [default: end]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -l since -d 'folded: two numbers for each stack: what stood after this record, and what stood at the moment of --at' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -l source -d 'Take the records of one run of a scenario in the model instead of a file: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -l seed -d 'Which interleaving runs: the same number always gives the same one' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand export" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand report" -s o -l output -d 'The page to write; `-` for stdout' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand report" -l profile -d 'Judge by the rules of another kernel era' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand report" -l at-exit -d 'What to make of things open at a normal exit [default: as recorded]' -r -f -a "strict\t'They are findings'
growth\t'Only stacks whose count grew with use are findings'
ignore\t'They are left out'"
complete -c gemscope -n "__fish_gemscope_using_subcommand report" -l source -d 'Instead of a trace one run of a scenario in the model: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand report" -l seed -d 'Which interleaving runs: the same number always gives the same one' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand report" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand report" -l worst -d 'Run the shortest interleaving that goes wrong, if there is one'
complete -c gemscope -n "__fish_gemscope_using_subcommand report" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand report" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand explore" -l profile -d 'By the rules of this kernel: a profile, and +FEATURE or -FEATURE after it; `all` is every profile; may be given again [default: the newest]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand explore" -s o -l output -d 'Write the shortest bad interleaving as a trace; with `-` to stdout, and what is told to stderr' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand explore" -l memory -d 'Memory for states, as 512M or 8G' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand explore" -s j -l jobs -d 'Threads to work with [default: one for each processor]' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand explore" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand explore" -l list -d 'List the scenarios that come with gemscope'
complete -c gemscope -n "__fish_gemscope_using_subcommand explore" -l json -d 'Print JSON lines'
complete -c gemscope -n "__fish_gemscope_using_subcommand explore" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand explore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand explore" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand explain" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand explain" -l json -d 'Print JSON lines'
complete -c gemscope -n "__fish_gemscope_using_subcommand explain" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand explain" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand doctor" -l image -d 'Answer for this kernel image (vmlinuz or vmlinux) instead of the running kernel' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand doctor" -l modules -d 'Its modules: the directory /lib/modules/RELEASE' -r -F
complete -c gemscope -n "__fish_gemscope_using_subcommand doctor" -l deny -d 'Answer as if this probe were not attached; may be given again' -r
complete -c gemscope -n "__fish_gemscope_using_subcommand doctor" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand doctor" -l json -d 'Print JSON lines'
complete -c gemscope -n "__fish_gemscope_using_subcommand doctor" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand probes" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c gemscope -n "__fish_gemscope_using_subcommand probes" -l json -d 'Print JSON lines'
complete -c gemscope -n "__fish_gemscope_using_subcommand probes" -s v -l verbose -d 'Tell what is being done; twice, also what the programs in the kernel say'
complete -c gemscope -n "__fish_gemscope_using_subcommand probes" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gemscope -n "__fish_gemscope_using_subcommand probes" -s V -l version -d 'Print version'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "demo" -d 'Replay a bundled trace of a real kernel: no root, no GPU'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "top" -d 'Watch every buffer live: who holds it, how it grows, what went wrong'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "check" -d 'Run a command and assert that it leaks no buffer and breaks no rule'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "record" -d 'Write what the kernel does into a trace'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "mark" -d 'Set a mark in what another gemscope watches: here, the program should be where it was at the last one'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "replay" -d 'Judge a trace, on any machine'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "snapshot" -d 'Who holds which buffer now: fds, mappings, attached devices, DRM files'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "export" -d 'Make another tool\'s file of a trace: Perfetto, folded stacks, CSV, JSON lines'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "report" -d 'Write the report of a trace as one HTML page, for people who do not have it'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "explore" -d 'Ask what a kernel would do: every interleaving of a small scenario, by the rules of any era'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "explain" -d 'What a rule or an assertion means; without one, all of them'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "doctor" -d 'What this kernel offers and what is missing, rule by rule'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "probes" -d 'Every probe: where it sits, what it serves, what is blind without it'
complete -c gemscope -n "__fish_gemscope_using_subcommand help; and not __fish_seen_subcommand_from demo top check record mark replay snapshot export report explore explain doctor probes help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
