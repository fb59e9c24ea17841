
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'gemscope' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'gemscope'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'gemscope' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Replay a bundled trace of a real kernel: no root, no GPU')
            [CompletionResult]::new('top', 'top', [CompletionResultType]::ParameterValue, 'Watch every buffer live: who holds it, how it grows, what went wrong')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Run a command and assert that it leaks no buffer and breaks no rule')
            [CompletionResult]::new('record', 'record', [CompletionResultType]::ParameterValue, 'Write what the kernel does into a trace')
            [CompletionResult]::new('mark', 'mark', [CompletionResultType]::ParameterValue, 'Set a mark in what another gemscope watches: here, the program should be where it was at the last one')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Judge a trace, on any machine')
            [CompletionResult]::new('snapshot', 'snapshot', [CompletionResultType]::ParameterValue, 'Who holds which buffer now: fds, mappings, attached devices, DRM files')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Make another tool''s file of a trace: Perfetto, folded stacks, CSV, JSON lines')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Write the report of a trace as one HTML page, for people who do not have it')
            [CompletionResult]::new('explore', 'explore', [CompletionResultType]::ParameterValue, 'Ask what a kernel would do: every interleaving of a small scenario, by the rules of any era')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'What a rule or an assertion means; without one, all of them')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'What this kernel offers and what is missing, rule by rule')
            [CompletionResult]::new('probes', 'probes', [CompletionResultType]::ParameterValue, 'Every probe: where it sits, what it serves, what is blind without it')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'gemscope;demo' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON lines')
            [CompletionResult]::new('--events', '--events', [CompletionResultType]::ParameterName, 'Print the bundled trace''s records too')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;top' {
            [CompletionResult]::new('--replay', '--replay', [CompletionResultType]::ParameterName, 'Go through this trace instead of watching the kernel: no root, no GPU')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Take the records of one run of a scenario in the model instead of the kernel''s: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Which interleaving runs: the same number always gives the same one')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write a trace of what is watched too')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write a trace of what is watched too')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Seconds between two looks at the state [default: 0.5 on a terminal, 2 as text]')
            [CompletionResult]::new('--delay', '--delay', [CompletionResultType]::ParameterName, 'Seconds between two looks at the state [default: 0.5 on a terminal, 2 as text]')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'Print as text, so many times; without a terminal, text is printed until the end')
            [CompletionResult]::new('--iterations', '--iterations', [CompletionResultType]::ParameterName, 'Print as text, so many times; without a terminal, text is printed until the end')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Only this process; may be given again. What filters leave out cannot be judged')
            [CompletionResult]::new('--pid', '--pid', [CompletionResultType]::ParameterName, 'Only this process; may be given again. What filters leave out cannot be judged')
            [CompletionResult]::new('--comm', '--comm', [CompletionResultType]::ParameterName, 'Only threads of this name')
            [CompletionResult]::new('--cgroup', '--cgroup', [CompletionResultType]::ParameterName, 'Only processes of this cgroup: a path below /sys/fs/cgroup or an id')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Only this device: a node as card0 or /dev/dri/renderD128, or a driver''s name')
            [CompletionResult]::new('--ring-size', '--ring-size', [CompletionResultType]::ParameterName, 'Size of the ring buffer, as 512K or 64M [default: 8M]')
            [CompletionResult]::new('--hot', '--hot', [CompletionResultType]::ParameterName, 'Attach this probe although it fires often; may be given again')
            [CompletionResult]::new('--deny', '--deny', [CompletionResultType]::ParameterName, 'Do not attach this probe; may be given again')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--worst', '--worst', [CompletionResultType]::ParameterName, 'Run the shortest interleaving that goes wrong, if there is one')
            [CompletionResult]::new('--raw-addresses', '--raw-addresses', [CompletionResultType]::ParameterName, 'Store kernel addresses as they are instead of stand-ins')
            [CompletionResult]::new('--tree', '--tree', [CompletionResultType]::ParameterName, 'With --pid, also the processes that it starts')
            [CompletionResult]::new('--no-stacks', '--no-stacks', [CompletionResultType]::ParameterName, 'Take no stacks')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;check' {
            [CompletionResult]::new('--trace', '--trace', [CompletionResultType]::ParameterName, 'Judge this trace instead of running a command')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Take the records of one run of a scenario in the model instead of the kernel''s: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Which interleaving runs: the same number always gives the same one')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write a trace too; without CMD, `-` is stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write a trace too; without CMD, `-` is stdout')
            [CompletionResult]::new('--trace-on-failure', '--trace-on-failure', [CompletionResultType]::ParameterName, 'Write a trace, and keep it only if the verdict is not clean')
            [CompletionResult]::new('--trace-limit', '--trace-limit', [CompletionResultType]::ParameterName, 'Keep at most this much for that trace, as 64M: its end, in memory; without it, the whole trace goes to the disk first')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Write a report to this file, `-` for stdout, as text, jsonl, junit, sarif, ktap, github, markdown or html; without FORMAT the report that goes to stderr else. May be given several times')
            [CompletionResult]::new('--at-exit', '--at-exit', [CompletionResultType]::ParameterName, 'What to make of things open when the command''s processes end normally [default: strict]')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'Wait this long for the kernel to finish what the command began, in milliseconds [default: 2000]')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Stop the command after this many seconds; the verdict is undecided then')
            [CompletionResult]::new('--failing-command', '--failing-command', [CompletionResultType]::ParameterName, 'What to make of CMD when it fails and nothing is found [default: warn]')
            [CompletionResult]::new('--undecided', '--undecided', [CompletionResultType]::ParameterName, 'What to make of an undecided verdict [default: fail]')
            [CompletionResult]::new('--budget', '--budget', [CompletionResultType]::ParameterName, 'At most so much at once, as handles=12, dma-bufs=8, attachments=0, framebuffers=4, objects=64 or bytes=64M; may be given again')
            [CompletionResult]::new('--at-least', '--at-least', [CompletionResultType]::ParameterName, 'At some moment at least so much at once, as handles=1: tests that skip themselves are no clean run; may be given again')
            [CompletionResult]::new('--max-growth', '--max-growth', [CompletionResultType]::ParameterName, 'From the first mark to the last at most so much more, as handles=2; a number alone is for handles, dma-bufs, attachments and framebuffers each; may be given again')
            [CompletionResult]::new('--older', '--older', [CompletionResultType]::ParameterName, 'Nothing that was taken since the start is held for longer than this')
            [CompletionResult]::new('--warm-up', '--warm-up', [CompletionResultType]::ParameterName, 'So many cycles, or marks of one name, are left out at the beginning while pools fill [default: a quarter]')
            [CompletionResult]::new('--scope', '--scope', [CompletionResultType]::ParameterName, 'Judge these too, beside CMD and what it starts: pid:N or comm:NAME and what they start, cgroup:PATH, or the whole machine; may be given again')
            [CompletionResult]::new('--survivor', '--survivor', [CompletionResultType]::ParameterName, 'A process of this name outlives CMD on purpose: it is not waited for, and what it holds is no leak; may be given again')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Without CMD: judge what happens in so many seconds')
            [CompletionResult]::new('--duration', '--duration', [CompletionResultType]::ParameterName, 'Without CMD: judge what happens in so many seconds')
            [CompletionResult]::new('--cycles', '--cycles', [CompletionResultType]::ParameterName, 'Take CMD as an action that is done so often, and find what grows with it, in whatever process')
            [CompletionResult]::new('--pause', '--pause', [CompletionResultType]::ParameterName, 'After each cycle, give the watched processes this long to finish, in milliseconds [default: 100]')
            [CompletionResult]::new('--control', '--control', [CompletionResultType]::ParameterName, 'Listen for `mark NAME` on a socket at this path instead of one without a file')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings and suppressions from this file [default: gemscope.toml, if it is there]')
            [CompletionResult]::new('--suppress', '--suppress', [CompletionResultType]::ParameterName, 'Read suppressions from this file too; may be given again')
            [CompletionResult]::new('--gen-suppressions', '--gen-suppressions', [CompletionResultType]::ParameterName, 'Print a suppression for each finding that stands, or write them to a new file; each needs a reason filled in. When they are printed the report goes to stderr')
            [CompletionResult]::new('--baseline', '--baseline', [CompletionResultType]::ParameterName, 'Accept what this file says was there before, and no more of it')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Only this process; may be given again. What filters leave out cannot be judged')
            [CompletionResult]::new('--pid', '--pid', [CompletionResultType]::ParameterName, 'Only this process; may be given again. What filters leave out cannot be judged')
            [CompletionResult]::new('--comm', '--comm', [CompletionResultType]::ParameterName, 'Only threads of this name')
            [CompletionResult]::new('--cgroup', '--cgroup', [CompletionResultType]::ParameterName, 'Only processes of this cgroup: a path below /sys/fs/cgroup or an id')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Only this device: a node as card0 or /dev/dri/renderD128, or a driver''s name')
            [CompletionResult]::new('--ring-size', '--ring-size', [CompletionResultType]::ParameterName, 'Size of the ring buffer, as 512K or 64M [default: 8M]')
            [CompletionResult]::new('--hot', '--hot', [CompletionResultType]::ParameterName, 'Attach this probe although it fires often; may be given again')
            [CompletionResult]::new('--deny', '--deny', [CompletionResultType]::ParameterName, 'Do not attach this probe; may be given again')
            [CompletionResult]::new('--in-vm', '--in-vm', [CompletionResultType]::ParameterName, 'Run it in a virtual machine with this kernel: 5.10, 6.1, 6.12, 6.18, newest, a package as linux-image-6.1.0-56-amd64, or an image as /boot/vmlinuz-6.1.0-56-amd64')
            [CompletionResult]::new('--in-vm-modules', '--in-vm-modules', [CompletionResultType]::ParameterName, 'The modules of an image [default: /lib/modules/RELEASE]')
            [CompletionResult]::new('--vm-device', '--vm-device', [CompletionResultType]::ParameterName, 'A device beside vgem: virtio-gpu, bochs, qxl, udmabuf; may be given again [default: virtio-gpu and udmabuf, where the kernel has them]')
            [CompletionResult]::new('--vm-memory', '--vm-memory', [CompletionResultType]::ParameterName, 'Its memory, in MiB; what CMD writes is in it too')
            [CompletionResult]::new('--vm-files', '--vm-files', [CompletionResultType]::ParameterName, 'How CMD gets at the host''s files [default: shared, where QEMU and the kernel can]')
            [CompletionResult]::new('--vm-copy', '--vm-copy', [CompletionResultType]::ParameterName, 'With copied files, copy this file or folder too; may be given again')
            [CompletionResult]::new('--vm-out', '--vm-out', [CompletionResultType]::ParameterName, 'Bring this file or folder back that CMD writes; may be given again')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--worst', '--worst', [CompletionResultType]::ParameterName, 'Run the shortest interleaving that goes wrong, if there is one')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Report as JSON lines')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Leave gemscope.toml alone')
            [CompletionResult]::new('--update-baseline', '--update-baseline', [CompletionResultType]::ParameterName, 'Take out of the baseline what is not found any more; where there is no baseline, make one of what is found [default file: gemscope-baseline.toml]')
            [CompletionResult]::new('--tree', '--tree', [CompletionResultType]::ParameterName, 'With --pid, also the processes that it starts')
            [CompletionResult]::new('--no-stacks', '--no-stacks', [CompletionResultType]::ParameterName, 'Take no stacks')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;record' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The trace to write; without CMD, `-` is stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The trace to write; without CMD, `-` is stdout')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Stop after this many seconds')
            [CompletionResult]::new('--duration', '--duration', [CompletionResultType]::ParameterName, 'Stop after this many seconds')
            [CompletionResult]::new('--grace', '--grace', [CompletionResultType]::ParameterName, 'Wait this long for the kernel to finish what the command began, in milliseconds')
            [CompletionResult]::new('--ring', '--ring', [CompletionResultType]::ParameterName, 'Keep the last records in memory, this much of encoded trace, as 64M; write them when something is found. The buffer of the kernel is --ring-size')
            [CompletionResult]::new('--after', '--after', [CompletionResultType]::ParameterName, 'Write so long after a finding that what follows is in the trace too, or before the finding is out of the ring')
            [CompletionResult]::new('--keep', '--keep', [CompletionResultType]::ParameterName, 'Write at most so many traces because of findings')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Take the records of one run of a scenario in the model instead of the kernel''s: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Which interleaving runs: the same number always gives the same one')
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Only this process; may be given again. What filters leave out cannot be judged')
            [CompletionResult]::new('--pid', '--pid', [CompletionResultType]::ParameterName, 'Only this process; may be given again. What filters leave out cannot be judged')
            [CompletionResult]::new('--comm', '--comm', [CompletionResultType]::ParameterName, 'Only threads of this name')
            [CompletionResult]::new('--cgroup', '--cgroup', [CompletionResultType]::ParameterName, 'Only processes of this cgroup: a path below /sys/fs/cgroup or an id')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Only this device: a node as card0 or /dev/dri/renderD128, or a driver''s name')
            [CompletionResult]::new('--ring-size', '--ring-size', [CompletionResultType]::ParameterName, 'Size of the ring buffer, as 512K or 64M [default: 8M]')
            [CompletionResult]::new('--hot', '--hot', [CompletionResultType]::ParameterName, 'Attach this probe although it fires often; may be given again')
            [CompletionResult]::new('--deny', '--deny', [CompletionResultType]::ParameterName, 'Do not attach this probe; may be given again')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--raw-addresses', '--raw-addresses', [CompletionResultType]::ParameterName, 'Store kernel addresses as they are instead of stand-ins')
            [CompletionResult]::new('--at-end', '--at-end', [CompletionResultType]::ParameterName, 'Write at the end too, whatever was found')
            [CompletionResult]::new('--worst', '--worst', [CompletionResultType]::ParameterName, 'Run the shortest interleaving that goes wrong, if there is one')
            [CompletionResult]::new('--tree', '--tree', [CompletionResultType]::ParameterName, 'With --pid, also the processes that it starts')
            [CompletionResult]::new('--no-stacks', '--no-stacks', [CompletionResultType]::ParameterName, 'Take no stacks')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;mark' {
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'Which gemscope: its pid or its socket [default: the one that runs this, or the only one]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;replay' {
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Stop after the record with this number; what was pending then is not judged')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Judge by the rules of another kernel era')
            [CompletionResult]::new('--at-exit', '--at-exit', [CompletionResultType]::ParameterName, 'What to make of things open at a normal exit [default: as recorded]')
            [CompletionResult]::new('--undecided', '--undecided', [CompletionResultType]::ParameterName, 'What to make of an undecided verdict [default: fail]')
            [CompletionResult]::new('--budget', '--budget', [CompletionResultType]::ParameterName, 'At most so much at once, as handles=12, dma-bufs=8, attachments=0, framebuffers=4, objects=64 or bytes=64M; may be given again')
            [CompletionResult]::new('--at-least', '--at-least', [CompletionResultType]::ParameterName, 'At some moment at least so much at once, as handles=1: tests that skip themselves are no clean run; may be given again')
            [CompletionResult]::new('--max-growth', '--max-growth', [CompletionResultType]::ParameterName, 'From the first mark to the last at most so much more, as handles=2; a number alone is for handles, dma-bufs, attachments and framebuffers each; may be given again')
            [CompletionResult]::new('--older', '--older', [CompletionResultType]::ParameterName, 'Nothing that was taken since the start is held for longer than this')
            [CompletionResult]::new('--warm-up', '--warm-up', [CompletionResultType]::ParameterName, 'So many cycles, or marks of one name, are left out at the beginning while pools fill [default: a quarter]')
            [CompletionResult]::new('--what-if', '--what-if', [CompletionResultType]::ParameterName, 'Instead of judging, make the recorded operations again by the rules of another kernel: a profile, with +feature and -feature')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Write a report to this file, `-` for stdout, as text, jsonl, junit, sarif, ktap, github, markdown or html; without FORMAT the report that goes to stdout else. May be given several times')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read settings and suppressions from this file [default: gemscope.toml, if it is there]')
            [CompletionResult]::new('--suppress', '--suppress', [CompletionResultType]::ParameterName, 'Read suppressions from this file too; may be given again')
            [CompletionResult]::new('--gen-suppressions', '--gen-suppressions', [CompletionResultType]::ParameterName, 'Print a suppression for each finding that stands, or write them to a new file; each needs a reason filled in. When they are printed the report goes to stderr')
            [CompletionResult]::new('--baseline', '--baseline', [CompletionResultType]::ParameterName, 'Accept what this file says was there before, and no more of it')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--events', '--events', [CompletionResultType]::ParameterName, 'Print every record as a line before the report')
            [CompletionResult]::new('--conformance', '--conformance', [CompletionResultType]::ParameterName, 'Instead of judging, compare every record with what the model of the recorded kernel predicts')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON lines')
            [CompletionResult]::new('--no-config', '--no-config', [CompletionResultType]::ParameterName, 'Leave gemscope.toml alone')
            [CompletionResult]::new('--update-baseline', '--update-baseline', [CompletionResultType]::ParameterName, 'Take out of the baseline what is not found any more; where there is no baseline, make one of what is found [default file: gemscope-baseline.toml]')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;snapshot' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Only what this process has; may be given again')
            [CompletionResult]::new('--pid', '--pid', [CompletionResultType]::ParameterName, 'Only what this process has; may be given again')
            [CompletionResult]::new('--comm', '--comm', [CompletionResultType]::ParameterName, 'Only what processes of this name have; may be given again')
            [CompletionResult]::new('--by', '--by', [CompletionResultType]::ParameterName, 'What the tree begins with')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'The order of dma-bufs')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to this file instead of stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to this file instead of stdout')
            [CompletionResult]::new('--diff', '--diff', [CompletionResultType]::ParameterName, 'Compare two snapshots that were saved with --json, the older one first')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON lines, which `--diff` can compare')
            [CompletionResult]::new('--csv', '--csv', [CompletionResultType]::ParameterName, 'Print a grid for spreadsheets: a row for each dma-buf, two columns for each process')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;export' {
            [CompletionResult]::new('-f', '-f', [CompletionResultType]::ParameterName, 'What to make of it')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'What to make of it')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write to this file instead of stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write to this file instead of stdout')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Stop after the record with this number')
            [CompletionResult]::new('--table', '--table', [CompletionResultType]::ParameterName, 'csv: which table [default: events]')
            [CompletionResult]::new('--value', '--value', [CompletionResultType]::ParameterName, 'folded: what a stack''s number is [default: bytes]')
            [CompletionResult]::new('--what', '--what', [CompletionResultType]::ParameterName, 'folded: which references [default: all, told apart by the second frame]')
            [CompletionResult]::new('--at', '--at', [CompletionResultType]::ParameterName, 'folded: at which moment: `end`, `peak` (most bytes in live buffers; with `--value count`, most live handles), or after the record with this number [default: end]')
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'folded: two numbers for each stack: what stood after this record, and what stood at the moment of --at')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Take the records of one run of a scenario in the model instead of a file: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Which interleaving runs: the same number always gives the same one')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;report' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The page to write; `-` for stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The page to write; `-` for stdout')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Judge by the rules of another kernel era')
            [CompletionResult]::new('--at-exit', '--at-exit', [CompletionResultType]::ParameterName, 'What to make of things open at a normal exit [default: as recorded]')
            [CompletionResult]::new('--source', '--source', [CompletionResultType]::ParameterName, 'Instead of a trace one run of a scenario in the model: `model:SCENARIO[@PROFILE]`, as in `gemscope explore`')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Which interleaving runs: the same number always gives the same one')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--worst', '--worst', [CompletionResultType]::ParameterName, 'Run the shortest interleaving that goes wrong, if there is one')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;explore' {
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'By the rules of this kernel: a profile, and +FEATURE or -FEATURE after it; `all` is every profile; may be given again [default: the newest]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write the shortest bad interleaving as a trace; with `-` to stdout, and what is told to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write the shortest bad interleaving as a trace; with `-` to stdout, and what is told to stderr')
            [CompletionResult]::new('--memory', '--memory', [CompletionResultType]::ParameterName, 'Memory for states, as 512M or 8G')
            [CompletionResult]::new('-j', '-j', [CompletionResultType]::ParameterName, 'Threads to work with [default: one for each processor]')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'Threads to work with [default: one for each processor]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--list', '--list', [CompletionResultType]::ParameterName, 'List the scenarios that come with gemscope')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON lines')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;explain' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON lines')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;doctor' {
            [CompletionResult]::new('--image', '--image', [CompletionResultType]::ParameterName, 'Answer for this kernel image (vmlinuz or vmlinux) instead of the running kernel')
            [CompletionResult]::new('--modules', '--modules', [CompletionResultType]::ParameterName, 'Its modules: the directory /lib/modules/RELEASE')
            [CompletionResult]::new('--deny', '--deny', [CompletionResultType]::ParameterName, 'Answer as if this probe were not attached; may be given again')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON lines')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;probes' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print JSON lines')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Tell what is being done; twice, also what the programs in the kernel say')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'gemscope;help' {
            [CompletionResult]::new('demo', 'demo', [CompletionResultType]::ParameterValue, 'Replay a bundled trace of a real kernel: no root, no GPU')
            [CompletionResult]::new('top', 'top', [CompletionResultType]::ParameterValue, 'Watch every buffer live: who holds it, how it grows, what went wrong')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Run a command and assert that it leaks no buffer and breaks no rule')
            [CompletionResult]::new('record', 'record', [CompletionResultType]::ParameterValue, 'Write what the kernel does into a trace')
            [CompletionResult]::new('mark', 'mark', [CompletionResultType]::ParameterValue, 'Set a mark in what another gemscope watches: here, the program should be where it was at the last one')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Judge a trace, on any machine')
            [CompletionResult]::new('snapshot', 'snapshot', [CompletionResultType]::ParameterValue, 'Who holds which buffer now: fds, mappings, attached devices, DRM files')
            [CompletionResult]::new('export', 'export', [CompletionResultType]::ParameterValue, 'Make another tool''s file of a trace: Perfetto, folded stacks, CSV, JSON lines')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Write the report of a trace as one HTML page, for people who do not have it')
            [CompletionResult]::new('explore', 'explore', [CompletionResultType]::ParameterValue, 'Ask what a kernel would do: every interleaving of a small scenario, by the rules of any era')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'What a rule or an assertion means; without one, all of them')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'What this kernel offers and what is missing, rule by rule')
            [CompletionResult]::new('probes', 'probes', [CompletionResultType]::ParameterValue, 'Every probe: where it sits, what it serves, what is blind without it')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'gemscope;help;demo' {
            break
        }
        'gemscope;help;top' {
            break
        }
        'gemscope;help;check' {
            break
        }
        'gemscope;help;record' {
            break
        }
        'gemscope;help;mark' {
            break
        }
        'gemscope;help;replay' {
            break
        }
        'gemscope;help;snapshot' {
            break
        }
        'gemscope;help;export' {
            break
        }
        'gemscope;help;report' {
            break
        }
        'gemscope;help;explore' {
            break
        }
        'gemscope;help;explain' {
            break
        }
        'gemscope;help;doctor' {
            break
        }
        'gemscope;help;probes' {
            break
        }
        'gemscope;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
