#!/usr/bin/env bash
# Boots Debian's kernel in an emulator and shows what `nbc doctor` and the sandbox make of it. By hand:
#
#   apt-get install qemu-system-x86 busybox-static cpio python3
#   cargo build --examples --bin nbc
#   tests/kernels/run.sh [KERNEL PARAMETER…]        # `lsm=yama`: a kernel without Landlock
set -euo pipefail
cd "$(dirname "$0")/../.."
here="$PWD"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"

package="$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ {print $2; exit}')"
apt-get download -qq "$package"
dpkg-deb -x linux-image-*.deb kernel

# A root of one folder: the emulated machine has no disk.
mkdir -p root/{usr/bin,usr/lib/x86_64-linux-gnu,usr/lib64,etc,proc,sys,dev,tmp,new,home/u}
for name in bin sbin; do ln -s usr/bin "root/$name"; done
for name in lib lib64; do ln -s "usr/$name" "root/$name"; done
cp /bin/busybox root/usr/bin/
for tool in sh mount insmod switch_root cp mkdir cat echo ls su poweroff chown chmod grep tail; do
  ln -s busybox "root/usr/bin/$tool"
done
python="$(readlink -f /usr/bin/python3)"
cp -a "$python" /usr/bin/python3 root/usr/bin/
cp -a "/usr/lib/$(basename "$python")" root/usr/lib/
rm -rf root/usr/lib/python3*/{test,idlelib,lib2to3}
cp "$here"/target/debug/{nbc,examples/confine} root/usr/bin/
strip root/usr/bin/{nbc,confine}
cp "$here/tests/attack/deny.py" root/etc/
cp kernel/lib/modules/*/kernel/fs/overlayfs/overlay.ko root/etc/
ldd root/usr/bin/nbc "$python" /usr/lib/python3*/lib-dynload/*.so 2>/dev/null | grep -o '/[^ ]*' | sort -u |
  while read -r library; do
    case "$library" in
      *ld-linux*) cp -L "$library" root/usr/lib64/ ;;
      *.so*) [ -e "$library" ] && cp -L "$library" root/usr/lib/x86_64-linux-gnu/ || true ;;
    esac
  done
printf 'root:x:0:0::/tmp:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n' >root/etc/passwd
printf 'root:x:0:\nu:x:1000:\n' >root/etc/group
cp "$here/tests/kernels/inside.sh" root/second
# The first root of a kernel cannot be left by pivot_root, so everything moves to a second one.
cat >root/init <<'INIT'
#!/bin/sh
mount -t tmpfs -o mode=755 tmpfs /new
for entry in usr etc home bin sbin lib lib64 second; do cp -a /$entry /new/; done
mkdir -p /new/proc /new/sys /new/dev /new/tmp
chmod 1777 /new/tmp
exec switch_root /new /bin/sh /second
INIT
chmod +x root/init
(cd root && find . | cpio -o -H newc --quiet | gzip -1) >root.gz

timeout 300 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -m 3000 -nographic -no-reboot \
  -kernel kernel/boot/vmlinuz-* -initrd root.gz -append "console=ttyS0 quiet panic=-1 $*" |
  sed -n '/Linux version/,$p'
