#!/bin/sh
# Runs the rows of a test matrix one after the other: /rows/NAME/command, for at most /rows/NAME/seconds.
# What each prints, its exit code and the files it leaves are brought back from /out/NAME.
# For the rows, judged OPTIONS -- CMD and replayed CMD end with the verdict, and print the report as JSON lines; each runs
# gemclient once with the words of each argument, until one fails; awaited LINE tries a shell line until it succeeds, for two minutes.
cat >/usr/bin/judged <<'END'
#!/bin/sh
gemscope check --json --report report.jsonl "$@"
code=$?
cat report.jsonl
exit "$code"
END
cat >/usr/bin/replayed <<'END'
#!/bin/sh
gemscope record -o trace.gemtrace -- sh -c '"$@"; echo $? >ended' sh "$@" >recorded 2>&1
code=$?
[ "$code $(cat ended)" = "0 0" ] || { cat recorded >&2; exit 2; }
gemscope replay --json trace.gemtrace
END
cat >/usr/bin/each <<'END'
#!/bin/sh
for words; do
    gemclient $words || exit
done
END
cat >/usr/bin/awaited <<'END'
#!/bin/sh
for i in $(seq 600); do
    eval "$1" && exit
    sleep 0.2
done
echo "awaited in vain: $1" >&2
exit 1
END
chmod 755 /usr/bin/judged /usr/bin/replayed /usr/bin/each /usr/bin/awaited
run() {
    mkdir -p "/out/$name"
    cd "/out/$name" || exit 2
    echo "begin $name"
    timeout -k 5 "$(cat "/rows/$name/seconds")" sh "/rows/$name/command" </dev/null >stdout 2>stderr
    code=$?
    echo "$code" >code
    echo "end $name $code"
    # A row must not meet what an earlier one left running.
    killall -q -9 gemscope gemclient
}
# Did probes miss hits, by the kernel's own count, and is something uncertain because of that? Either the whole verdict, or a finding of a
# row that counts them.
missed() {
    [ -e "/rows/$name/decided" ] && grep -q '"kind":"missed"' stdout || return
    [ "$code" = 3 ] || { [ "$code" = 1 ] && [ -e "/rows/$name/counted" ] && grep -q '"certain":false' stdout; }
}
while read -r name; do
    run
    # The kernel may skip a probe while another program or call of bpf(2) has that cpu, and counts it. gemscope is undecided then, or not
    # certain of a finding, and says to run again: once, and it is told.
    # Of what was certain the first time, nothing may be other than expected: that is looked at outside.
    if missed; then
        mv "/out/$name" "/out/$name.first"
        run
    fi
done </rows/order
dmesg >/out/dmesg
