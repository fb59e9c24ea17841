#!/bin/sh
# Graphics tests of a kernel that was just built, under gemscope, in a virtual machine. The result is KTAP on stdout.
#
#   kernel-ci.sh [BUILD]                          gemscope's own virtual machine: igt, or what TESTS says
#   VIRTME=1 kernel-ci.sh [BUILD]                 the same in virtme-ng's
#   TESTS="./run-my-tests" kernel-ci.sh [BUILD]
#
# BUILD is the folder where the kernel was built: arch/x86/boot/bzImage is in it. It needs BPF, kprobes and BTF
# (CONFIG_BPF_SYSCALL, CONFIG_KPROBES, CONFIG_DEBUG_INFO_BTF), vgem and virtio-gpu (CONFIG_DRM_VGEM, CONFIG_DRM_VIRTIO_GPU),
# CONFIG_UDMABUF, and for the virtual machine CONFIG_VIRTIO_PCI, CONFIG_VIRTIO_BLK, CONFIG_VIRTIO_CONSOLE, CONFIG_9P_FS,
# CONFIG_NET_9P_VIRTIO and CONFIG_OVERLAY_FS.
set -eu

build=${1:-.}
image=$build/arch/x86/boot/bzImage
tests=${TESTS:-igt_runner --overwrite --include-tests dmabuf /usr/libexec/igt-gpu-tools igt-results}

if [ ! -e "$image" ]; then
    echo "Bail out! no kernel in $image"
    exit 2
fi

code=0
if [ -n "${VIRTME:-}" ]; then
    # virtme-ng shows the host's files too, and is root in there.
    vng --run "$build" --user root --rwdir "$PWD" --exec \
        "gemscope check --at-exit growth --report ktap=gemscope.ktap --trace-on-failure leak.gemtrace -- $tests" >&2 || code=$?
else
    modules=$build/modules-for-gemscope
    make -s -C "$build" INSTALL_MOD_PATH="$(readlink -m "$modules")" modules_install >&2
    # shellcheck disable=SC2086
    gemscope check --in-vm "$image" --in-vm-modules "$modules" --vm-out igt-results --at-exit growth \
        --report ktap=gemscope.ktap --trace-on-failure leak.gemtrace -- $tests >&2 || code=$?
fi

# 0 clean, 1 findings, 3 undecided, 4 failed tests where that is asked for: the report tells. Anything else, and there is no report.
case $code in
0 | 1 | 3 | 4) cat gemscope.ktap ;;
*) echo "Bail out! gemscope could not run: $code" ;;
esac
exit "$code"
