//! System calls that no dependency wraps, each behind a safe function.

#![expect(unsafe_code, reason = "system calls that neither std nor rustix offers")]

use std::ffi::{CString, c_int};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::process::Pid;

/// Attribute of a mount that cannot be written to.
pub(super) const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
/// Attributes of a mount without set-user-id bits and device nodes.
pub(super) const INERT: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
/// Attributes of a mount without set-user-id bits and programs.
pub(super) const DEVICE: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;

/// Every namespace of the sandbox.
pub(super) const NAMESPACES: [(c_int, &str); 7] = [
    (libc::CLONE_NEWUSER, "user namespace"),
    (libc::CLONE_NEWNS, "mount namespace"),
    (libc::CLONE_NEWPID, "pid namespace"),
    (libc::CLONE_NEWNET, "network namespace"),
    (libc::CLONE_NEWIPC, "ipc namespace"),
    (libc::CLONE_NEWUTS, "uts namespace"),
    (libc::CLONE_NEWCGROUP, "cgroup namespace"),
];

fn check(answer: i64) -> io::Result<i64> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

/// The two sides of a fork.
pub(super) enum Fork {
    Child,
    Parent(Pid),
}

/// Forks; only the second stage does, which has one thread.
pub(super) fn fork() -> io::Result<Fork> {
    // SAFETY: the second stage never starts a thread, so the child's memory is consistent.
    let pid = unsafe { libc::fork() };
    check(i64::from(pid))?;
    Ok(Pid::from_raw(pid).map_or(Fork::Child, Fork::Parent))
}

/// Enters new namespaces.
pub(super) fn unshare(flags: c_int) -> io::Result<()> {
    // SAFETY: takes no pointer; CLONE_FILES, the flag that could break ownership, is never passed.
    check(i64::from(unsafe { libc::unshare(flags) })).map(drop)
}

/// Gives programs started from here the same addresses in each run, as far as the host allows it
/// (Docker's own filter does not).
pub(super) fn fix_addresses() {
    let flags = libc::ADDR_NO_RANDOMIZE as libc::c_ulong;
    // SAFETY: takes no pointer.
    unsafe { libc::personality(flags) };
}

/// Switches the loopback interface of this network namespace on.
pub(super) fn raise_loopback(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid value of this plain C struct.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(*b"lo") {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_UP).unwrap_or(1);
    let number = socket.as_raw_fd();
    // SAFETY: the struct lives on this stack frame, and is what this request reads.
    check(i64::from(unsafe { libc::ioctl(number, libc::SIOCSIFFLAGS, &raw const request) }))
        .map(drop)
}

/// Becomes this user and group for good.
pub(super) fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: takes no pointer; glibc's broadcast to other threads has none to reach.
    check(i64::from(unsafe { libc::setresgid(gid, gid, gid) }))?;
    // SAFETY: as above.
    check(i64::from(unsafe { libc::setresuid(uid, uid, uid) })).map(drop)
}

/// Leaves every supplementary group.
pub(super) fn leave_groups() -> io::Result<()> {
    // SAFETY: a count of zero reads nothing from the pointer.
    check(i64::from(unsafe { libc::setgroups(0, std::ptr::null()) })).map(drop)
}

/// Changes attributes of a mount and, if it says so, of everything below it.
pub(super) fn set_mount_attributes(
    tree: BorrowedFd<'_>,
    recursive: bool,
    set: u64,
    id_map: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    // SAFETY: all-zero bytes are a valid value of this plain C struct.
    let mut attributes: libc::mount_attr = unsafe { std::mem::zeroed() };
    attributes.attr_set = set;
    if let Some(namespace) = id_map {
        attributes.attr_set |= libc::MOUNT_ATTR_IDMAP;
        attributes.userns_fd = u64::try_from(namespace.as_raw_fd()).map_err(io::Error::other)?;
    }
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a constant C string, the struct lives on this stack frame and its size is given.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}

/// Takes the descriptors that nbc started the second stage with: its socket on 0, the payload's on 1.
///
/// Afterwards 0 is `/dev/null`, 1 and 2 are the console, 3 is the payload's socket, 4 is ours.
pub(super) fn claim_descriptors() -> io::Result<(OwnedFd, OwnedFd)> {
    const FIRST_FREE: c_int = 3;
    // SAFETY: closes descriptors that nbc did not mean to pass on; no object of this process owns any of these yet.
    check(unsafe { libc::syscall(libc::SYS_close_range, FIRST_FREE, c_int::MAX, 0) })?;
    let channel = duplicate(1, FIRST_FREE)?;
    let control = duplicate(0, FIRST_FREE + 1)?;
    let null = fs_err::File::open("/dev/null")?;
    replace(null.as_raw_fd(), 0)?;
    replace(2, 1)?;
    Ok((control, channel))
}

fn duplicate(of: RawFd, at_least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: takes no pointer; a bad descriptor is answered with an error.
    let copy = check(i64::from(unsafe { libc::fcntl(of, libc::F_DUPFD_CLOEXEC, at_least) }))?;
    let copy = RawFd::try_from(copy).map_err(io::Error::other)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

fn replace(with: RawFd, number: RawFd) -> io::Result<()> {
    // SAFETY: only called for the three standard numbers, which std treats as always open.
    check(i64::from(unsafe { libc::dup2(with, number) })).map(drop)
}

/// Gives the signals back the meaning that a program expects at its start.
pub(super) fn reset_signals() -> io::Result<()> {
    // An ignored signal stays ignored over exec, and Rust's runtime, for one, ignores SIGPIPE.
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL is a valid handler and runs no code of ours; what cannot be set is refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: all-zero bytes are a valid value, and sigemptyset fills it in.
    let mut none: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set lives on this stack frame.
    check(i64::from(unsafe { libc::sigemptyset(&raw mut none) }))?;
    // SAFETY: as above; a null old set is allowed.
    check(i64::from(unsafe {
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut())
    }))
    .map(drop)
}

/// Gives a descriptor that can be read when a child has ended; the signal itself waits until then.
pub(super) fn watch_children() -> io::Result<OwnedFd> {
    // SAFETY: all-zero bytes are a valid value, and sigemptyset fills it in.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set lives on this stack frame, here and below.
    check(i64::from(unsafe { libc::sigemptyset(&raw mut set) }))?;
    // SAFETY: as above.
    check(i64::from(unsafe { libc::sigaddset(&raw mut set, libc::SIGCHLD) }))?;
    // SAFETY: as above; a null old set is allowed.
    check(i64::from(unsafe {
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut())
    }))?;
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: as above; -1 asks for a new descriptor.
    let new = check(i64::from(unsafe { libc::signalfd(-1, &raw const set, flags) }))?;
    let new = RawFd::try_from(new).map_err(io::Error::other)?;
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Reads the signals that [`watch_children`] gathered.
pub(super) fn forget_signals(watch: BorrowedFd<'_>) {
    let mut signals = [0; 8 * size_of::<libc::signalfd_siginfo>()];
    while let Ok(1..) = rustix::io::read(watch, &mut signals) {}
}

/// The number of resources that have limits.
const RESOURCES: libc::__rlimit_resource_t = 16;

/// Settings of a process that another one of the same user can change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Settings {
    limits: Vec<(u64, u64)>,
    processors: Vec<u8>,
    /// Policy, priority, niceness, and the class of its input and output.
    schedule: [i64; 4],
}

impl Settings {
    /// Asks the kernel.
    pub(super) fn of(pid: Pid) -> io::Result<Settings> {
        let pid = pid.as_raw_nonzero().get();
        let mut limits = vec![];
        for resource in 0..RESOURCES {
            let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: a null pointer sets nothing, and the struct lives on this stack frame.
            check(i64::from(unsafe {
                libc::prlimit(pid, resource, std::ptr::null(), &raw mut limit)
            }))?;
            limits.push((limit.rlim_cur, limit.rlim_max));
        }
        let mut processors = vec![0_u8; 1024];
        // SAFETY: the buffer is as long as the call says.
        check(unsafe {
            libc::syscall(
                libc::SYS_sched_getaffinity,
                pid,
                processors.len(),
                processors.as_mut_ptr(),
            )
        })?;
        let mut parameter = libc::sched_param { sched_priority: 0 };
        // SAFETY: the struct lives on this stack frame.
        check(i64::from(unsafe { libc::sched_getparam(pid, &raw mut parameter) }))?;
        // SAFETY: none of these takes a pointer.
        let (policy, niceness, input_output) = unsafe {
            (
                libc::syscall(libc::SYS_sched_getscheduler, pid),
                libc::syscall(libc::SYS_getpriority, libc::PRIO_PROCESS, pid),
                libc::syscall(libc::SYS_ioprio_get, 1, pid),
            )
        };
        let schedule = [policy, i64::from(parameter.sched_priority), niceness, input_output];
        Ok(Settings { limits, processors, schedule })
    }
}

/// Replaces this process by a program; comes back only with an error.
pub(super) fn execute(
    program: &CString,
    arguments: &[CString],
    environment: &[CString],
) -> io::Error {
    let pointers = |strings: &[CString]| {
        strings.iter().map(|it| it.as_ptr()).chain([std::ptr::null()]).collect::<Vec<_>>()
    };
    let (arguments, environment) = (pointers(arguments), pointers(environment));
    // SAFETY: both lists end with a null pointer, and the strings they point at outlive the call.
    unsafe { libc::execve(program.as_ptr(), arguments.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Kills every process that this one may signal, except itself.
pub(super) fn kill_everyone_of_this_user() {
    // SAFETY: takes no pointer. Only called by a process that has become a user of the sandbox's own.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// CPU time of the children that were waited for.
pub(super) fn children_cpu_micros() -> u64 {
    // SAFETY: all-zero bytes are a valid value of this plain C struct.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the struct lives on this stack frame.
    if unsafe { libc::getrusage(libc::RUSAGE_CHILDREN, &raw mut usage) } != 0 {
        return 0;
    }
    let micros = |time: libc::timeval| {
        u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000
            + u64::try_from(time.tv_usec).unwrap_or(0)
    };
    micros(usage.ru_utime) + micros(usage.ru_stime)
}

/// Sets the soft and hard value of a resource limit, or the hard value that holds already if it is lower.
pub(super) fn limit(resource: libc::__rlimit_resource_t, value: u64) -> io::Result<()> {
    let mut present = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct lives on this stack frame.
    check(i64::from(unsafe { libc::getrlimit(resource, &raw mut present) }))?;
    let value = value.min(present.rlim_max);
    let limit = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: as above.
    check(i64::from(unsafe { libc::setrlimit(resource, &raw const limit) })).map(drop)
}

/// Ends a forked child at once: nothing that the parent registered or buffered may run here.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: takes no pointer and does not return.
    unsafe { libc::_exit(code) }
}

/// Has a child call `prepare`, one system call, between fork and exec.
pub(super) fn before_exec(command: &mut std::process::Command, prepare: fn() -> io::Result<()>) {
    // SAFETY: nbc has threads, so the child may neither allocate nor lock; a system call does neither.
    unsafe { std::os::unix::process::CommandExt::pre_exec(command, prepare) };
}

/// The unit of CPU time in `/proc`.
pub(super) fn ticks_per_second() -> u64 {
    // SAFETY: takes no pointer.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    u64::try_from(ticks).unwrap_or(100).max(1)
}
