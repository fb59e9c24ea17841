#!/bin/sh
# The first process of the guest: mounts, loads the modules, runs /run/command, hands back what came of it.
# Ports: 1 the command's output, 2 its errors, 3 what happened ("ready", "exit CODE", "failed WHY"). /dev/vda takes /out.
export PATH=/usr/bin:/usr/sbin:/bin:/sbin HOME=/root TERM="${TERM:-linux}" LANG=C.UTF-8
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mkdir -p /tmp
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf 2>/dev/null
mount -t cgroup2 cgroup2 /sys/fs/cgroup 2>/dev/null
ln -sf /proc/self/fd /dev/fd
ln -sf /proc/self/fd/0 /dev/stdin
ln -sf /proc/self/fd/1 /dev/stdout
ln -sf /proc/self/fd/2 /dev/stderr
chmod 1777 /tmp /dev/shm
hostname guest
ip link set lo up

# An installed system keeps the modules' files here; where a kernel has no BTF for modules, their code is read.
installed="/lib/modules/$(uname -r)"
mkdir -p "$installed/kernel"
problem=
while read -r module parameters; do
    ln -s "/modules/$module" "$installed/kernel/$module"
    echo "kernel/$module:" >>"$installed/modules.dep"
    # Parameters are words.
    # shellcheck disable=SC2086
    insmod "/modules/$module" $parameters || problem="$problem $module"
done </modules/order

leave() {
    sync
    echo b >/proc/sysrq-trigger
    reboot -f
}

if [ ! -e /run/command ]; then
    [ -z "$problem" ] || echo "these modules did not load:$problem"
    echo "The guest $(uname -r). Type exit to leave."
    cd /root || true
    setsid cttyhack sh -l
    leave
fi

# The ports come up a moment after their driver; the first number in their name depends on the other devices.
tries=0
port=
while [ -z "$port" ] && [ "$tries" -lt 200 ]; do
    for file in /dev/vport*p3; do
        [ ! -c "$file" ] || port=${file%3}
    done
    tries=$((tries + 1))
    usleep 20000
done
exec 9>"${port}3"
if [ -n "$problem" ]; then
    echo "failed these modules did not load:$problem" >&9
    leave
fi
echo "ready $(uname -r)" >&9

# Through pipes, so that the command sees neither a terminal nor a device.
mkfifo /run/stdout /run/stderr
cat </run/stdout >"${port}1" &
out=$!
cat </run/stderr >"${port}2" &
err=$!
cd /root || true
sh /run/command </dev/null >/run/stdout 2>/run/stderr 9>&-
code=$?
# What the command left running may hold the pipes open for ever.
tries=0
while { kill -0 "$out" || kill -0 "$err"; } 2>/dev/null && [ "$tries" -lt 40 ]; do
    tries=$((tries + 1))
    usleep 50000
done
if [ -e /run/bring-out ]; then
    if ! tar cf /dev/vda -C /out . 2>/run/tar-said; then
        echo "failed /out could not be packed: $(head -n 1 /run/tar-said)" >&9
        leave
    fi
    sync
fi
# What the kernel says against its own rules, with a line that follows; but not its warnings of faults that are asked for, by
# processes called f-FAULT.
dmesg | awk '
    /BUG:|WARNING:|Oops|general protection|refcount_t|KASAN/ {
        if (said) print said
        said = $0
        line = NR
        warning = /WARNING:/
    }
    said && NR == line + 1 { said = said "\n" $0 }
    said && warning && NR < line + 5 && /(Comm|CPU#[0-9]+): f-/ { said = "" }
    END { if (said) print said }
' | head -n 20 | while read -r line; do
    echo "complaint $line" >&9
done
echo "exit $code" >&9
leave
