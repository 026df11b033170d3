# First process of the emulated machine: it runs nbc there and prints what it says.
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
insmod /etc/overlay.ko
mount -t cgroup2 groups /sys/fs/cgroup
chown 1000:1000 /home/u
cat /proc/version /proc/cmdline

say() { echo "=== $*"; }
hello="import os; print('uid', os.getuid(), os.listdir('.'))"
run="confine --isolation best-effort /usr/bin/python3 -I -c"

say root; nbc doctor
say an ordinary user; su u -c 'nbc doctor'
say best effort; $run "$hello" 2>&1 | tail -2
say best effort, an ordinary user; su u -c "$run \"$hello\"" 2>&1 | tail -2
say best effort without namespaces; python3 /etc/deny.py unshare=EPERM $run "$hello" 2>&1 | tail -2

say namespaces switched off by sysctl
echo 0 >/proc/sys/kernel/unprivileged_userns_clone
su u -c 'nbc doctor' | grep -- namespace
echo 1 >/proc/sys/kernel/unprivileged_userns_clone

say a delegated control group
mkdir /sys/fs/cgroup/delegated
echo '+memory +pids' >/sys/fs/cgroup/cgroup.subtree_control
large="x = bytearray(300 << 20)
for at in range(0, len(x), 4096): x[at] = 1
print('survived')"
sh -c 'echo $$ >/sys/fs/cgroup/delegated/cgroup.procs; exec nbc doctor' | grep 'control group '
sh -c 'echo $$ >/sys/fs/cgroup/delegated/cgroup.procs; exec confine --memory 100 /usr/bin/python3 -I -c "$0"' \
  "$large" 2>&1 | tail -1
say left in it; ls /sys/fs/cgroup/delegated | grep nbc
poweroff -f
