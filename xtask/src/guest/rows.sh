#!/bin/sh
# Runs the rows of a test matrix one after the other: /rows/NAME/command, for at most /rows/NAME/seconds.
# What each prints, its exit code and the files it leaves are brought back from /out/NAME.
while read -r name; do
    mkdir -p "/out/$name"
    cd "/out/$name" || exit 2
    echo "begin $name"
    timeout -k 5 "$(cat "/rows/$name/seconds")" sh "/rows/$name/command" </dev/null >stdout 2>stderr
    code=$?
    echo "$code" >code
    echo "end $name $code"
    # A row must not meet what an earlier one left running.
    killall -q -9 gemscope gemclient
done </rows/order
dmesg >/out/dmesg
