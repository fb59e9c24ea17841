#!/bin/sh
# Runs /errand/inside/enter as if it were on the host: in the host's file system, which can be read, with what is written kept in
# memory; or in a copy of what was found to be needed. An exit code of 125 says that it could not be tried.
root=/errand/root
release=$(uname -r)

fail() {
    echo "gemscope: the guest cannot show the host's files: $1" >&2
    exit 125
}

mkdir -p "$root"
if [ -e /errand/shared ]; then
    mkdir -p /errand/host /errand/memory
    mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose host /errand/host ||
        fail "mounting by 9p failed (CONFIG_9P_FS, CONFIG_NET_9P_VIRTIO)"
    mount -t tmpfs -o mode=755 memory /errand/memory || fail "no memory for what is written (CONFIG_TMPFS)"
    mkdir /errand/memory/upper /errand/memory/work
    mount -t overlay -o lowerdir=/errand/host,upperdir=/errand/memory/upper,workdir=/errand/memory/work overlay "$root" ||
        fail "laying memory over them failed (CONFIG_OVERLAY_FS)"
fi
for dir in proc sys dev; do
    mkdir -p "$root/$dir"
    mount -o rbind "/$dir" "$root/$dir" || fail "no /$dir"
done
[ -d "$root/tmp" ] || mkdir -m 1777 "$root/tmp"

# Links of the guest's own are of no use in there.
cp /bin/busybox /errand/inside/
mkdir -p /errand/inside/modules /errand/inside/out
cp -rL "/lib/modules/$release/." /errand/inside/modules/
mkdir -p "$root/run/gemscope"
mount -o bind /errand/inside "$root/run/gemscope" || fail "no /run/gemscope"
mount -o bind /out "$root/run/gemscope/out" || fail "no /run/gemscope/out"
inside="chroot $root /run/gemscope/busybox"
$inside mkdir -p "/lib/modules/$release" &&
    $inside mount -o bind /run/gemscope/modules "/lib/modules/$release" || fail "no /lib/modules/$release"
# Who may use devices is the host's affair, and there is nobody else in here.
chmod -R a+rw /dev/dri /dev/udmabuf /dev/dma_heap 2>/dev/null
exec $inside sh /run/gemscope/enter
