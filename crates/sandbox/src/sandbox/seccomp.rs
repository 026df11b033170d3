//! System call filters: a list of calls that are refused by name, then a list of those that are allowed.
//!
//! Two, because an answer tells programs how to go on: a refused call says "not permitted" (and depends on
//! its arguments), while a call on neither list "does not exist", which makes libraries fall back to an older
//! one. `clone3` is on neither: its flags lie in memory, where no filter can read them.

use std::collections::BTreeMap;
use std::io;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Is, SeccompCondition,
    SeccompFilter, SeccompRule,
};

/// Name of the layer that this file makes.
pub(super) const NAME: &str = "seccomp";

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// Sockets that can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sockets {
    /// Sockets of the machine itself.
    Unix,
    /// TCP as well: the run's network has a proxy in it.
    Tcp,
}

/// The surroundings of the filtered process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surroundings {
    /// In namespaces of its own, among files of its own.
    Own(Sockets),
    /// Among the host's processes, networks and files: no socket but pairs.
    Host {
        /// Whether some of those files belong to its user: Landlock lets owners change modes and times.
        owns_files: bool,
    },
}

/// Filters the calls of this process and of everything it starts.
pub(super) fn restrict(surroundings: Surroundings) -> io::Result<()> {
    for program in programs(surroundings).map_err(io::Error::other)? {
        // The list of allowed calls comes last, since it has no room for the call that loads a filter.
        seccompiler::apply_filter(&program).map_err(|error| match error {
            seccompiler::Error::Prctl(source) | seccompiler::Error::Seccomp(source) => source,
            other => io::Error::other(other),
        })?;
    }
    Ok(())
}

fn programs(surroundings: Surroundings) -> Result<Vec<BpfProgram>, seccompiler::BackendError> {
    let architecture = std::env::consts::ARCH.try_into()?;
    let not_permitted = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let unknown = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let mut rules = refused(match surroundings {
        Surroundings::Own(sockets) => sockets,
        Surroundings::Host { .. } => Sockets::Unix,
    })?;
    let mut programs = vec![];
    if let Surroundings::Host { owns_files } = surroundings {
        refuse_on_host(&mut rules)?;
        // A process that may read a file may lock it, and so keep a program of the host waiting for as long as it
        // runs. Libraries give up their own temporary files when they hear "not permitted" here.
        let mut calls = Rules::from([(libc::SYS_flock, vec![])]);
        if owns_files {
            let changing = CHANGING_FILES.iter().chain(CHANGING_FILES_HERE);
            calls.extend(changing.map(|number| (*number, vec![])));
        }
        let without_effect = SeccompAction::Errno(0);
        let filter = SeccompFilter::new(calls, SeccompAction::Allow, without_effect, architecture)?;
        programs.push(filter.try_into()?);
    }
    let refused = SeccompFilter::new(rules, SeccompAction::Allow, not_permitted, architecture)?;
    // Of two refusals the later filter's is told, so it has to leave to the first what the first refuses.
    let all = ALLOWED.iter().chain(ALLOWED_HERE).chain(REFUSED);
    let allowed: Rules = all.map(|number| (*number, vec![])).collect();
    let allowed = SeccompFilter::new(allowed, unknown, SeccompAction::Allow, architecture)?;
    programs.push(refused.try_into()?);
    programs.push(allowed.try_into()?);
    Ok(programs)
}

fn refused(sockets: Sockets) -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = REFUSED.iter().map(|number| (*number, vec![])).collect();
    // Sockets of the machine itself only: asyncio and multiprocessing need them, and they reach nobody outside.
    let unix = u64::from(libc::AF_UNIX.unsigned_abs());
    rules.insert(libc::SYS_socketpair, vec![rule(argument(0, Is::Ne, unix)?)?]);
    let made = match sockets {
        Sockets::Unix => vec![rule(argument(0, Is::Ne, unix)?)?],
        Sockets::Tcp => other_than_tcp()?,
    };
    rules.insert(libc::SYS_socket, made);
    rules.insert(libc::SYS_clone, refused_clones()?);
    rules.insert(libc::SYS_setsockopt, refused_socket_options()?);
    rules.insert(libc::SYS_fcntl, refused_file_commands()?);
    // Drivers and file systems take requests even on files that are open for reading only: to type into a
    // terminal, to make a file immutable, to list the host's addresses. The kernel reads 32 bits of them.
    let mut requests = vec![];
    for request in HARMLESS_REQUESTS {
        requests.push(argument(1, Is::Ne, *request)?);
    }
    rules.insert(libc::SYS_ioctl, vec![SeccompRule::new(requests)?]);
    // Huge pages come out of a pool of the machine, and count as nobody's resident memory.
    let huge = u64::from(libc::MAP_HUGETLB.unsigned_abs());
    rules.insert(libc::SYS_mmap, vec![rule(argument(3, Is::MaskedEq(huge), huge)?)?]);
    // Asking for the personality is harmless; any other value weakens the layout of memory.
    let ask = u64::from(u32::MAX);
    let personality = vec![argument(0, Is::Ne, 0)?, argument(0, Is::Ne, ask)?];
    rules.insert(libc::SYS_personality, vec![SeccompRule::new(personality)?]);
    let mut process = vec![];
    for option in [libc::PR_SET_SECCOMP, libc::PR_SET_MM, libc::PR_SET_PTRACER] {
        process.push(rule(argument(0, Is::Eq, u64::from(option.unsigned_abs()))?)?);
    }
    rules.insert(libc::SYS_prctl, process);
    Ok(rules)
}

/// A condition on the lower half of an argument.
fn argument(index: u8, is: Is, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(index, Width::Dword, is, value)
}

/// A rule of one condition.
fn rule(condition: SeccompCondition) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![condition])
}

/// Refuses new namespaces, and threads that the watch would not see through.
fn refused_clones() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let namespaces = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWCGROUP,
    ];
    let mut clone = vec![];
    for flag in namespaces {
        let flag = u64::from(flag.unsigned_abs());
        clone.push(rule(argument(0, Is::MaskedEq(flag), flag)?)?);
    }
    // A thread with a table of files of its own would hide what it keeps open from the watch.
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let either = thread | u64::from(libc::CLONE_FILES.unsigned_abs());
    clone.push(rule(argument(0, Is::MaskedEq(either), thread)?)?);
    Ok(clone)
}

/// Refuses larger buffers, and other uses of TCP.
fn refused_socket_options() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    // Memory in sockets and pipes is no process's; the watch counts it by their number and usual size.
    let mut options = vec![];
    for option in [libc::SO_SNDBUF, libc::SO_RCVBUF, libc::SO_SNDBUFFORCE, libc::SO_RCVBUFFORCE] {
        let level = argument(1, Is::Eq, u64::from(libc::SOL_SOCKET.unsigned_abs()))?;
        let option = argument(2, Is::Eq, u64::from(option.unsigned_abs()))?;
        options.push(SeccompRule::new(vec![level, option])?);
    }
    // Other protocols on top of TCP, and data that goes out without a connection.
    for option in [libc::TCP_ULP, libc::TCP_FASTOPEN, libc::TCP_FASTOPEN_CONNECT, libc::TCP_REPAIR]
    {
        let level = argument(1, Is::Eq, u64::from(libc::IPPROTO_TCP.unsigned_abs()))?;
        let option = argument(2, Is::Eq, u64::from(option.unsigned_abs()))?;
        options.push(SeccompRule::new(vec![level, option])?);
    }
    Ok(options)
}

/// Refuses larger pipes, leases, and signals to others.
fn refused_file_commands() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    // A lease makes others wait at `open`; news of a file can be a signal to whom it is said to belong.
    let mut control = vec![];
    for command in [
        libc::F_SETPIPE_SZ,
        libc::F_SETLEASE,
        libc::F_NOTIFY,
        libc::F_SETOWN,
        SET_OWNER_EXTENDED,
        SET_SIGNAL,
    ] {
        control.push(rule(argument(1, Is::Eq, u64::from(command.unsigned_abs()))?)?);
    }
    Ok(control)
}

/// Requests that ask, or that change nothing but the caller's own descriptor, or that copy a file into one
/// that is open for writing.
#[rustfmt::skip]
const HARMLESS_REQUESTS: &[u64] = &[
    libc::TCGETS, TCGETS2, libc::TIOCGWINSZ, libc::TIOCGPGRP, libc::TIOCOUTQ, libc::FIONREAD, libc::FIONBIO,
    libc::FIOCLEX, libc::FIONCLEX, FICLONE, FICLONERANGE,
];
const TCGETS2: u64 = 0x802c_542a;
const FICLONE: u64 = 0x4004_9409;
const FICLONERANGE: u64 = 0x4020_940d;
/// `F_SETOWN_EX` and `F_SETSIG`.
const SET_OWNER_EXTENDED: i32 = 15;
const SET_SIGNAL: i32 = 10;
/// `PRIO_USER`.
const PRIORITY_OF_USER: u64 = 2;

/// Refuses calls that namespaces and mounts would keep away from the host, and that Landlock does not.
fn refuse_on_host(rules: &mut Rules) -> Result<(), seccompiler::BackendError> {
    let not_itself = |index| {
        let other = SeccompCondition::new(index, Width::Dword, Is::Ne, 0)?;
        Ok(vec![SeccompRule::new(vec![other])?])
    };
    // Limits and schedules of other processes of the same user; zero means the caller.
    for (call, index) in [
        (libc::SYS_prlimit64, 0),
        (libc::SYS_sched_setaffinity, 0),
        (libc::SYS_sched_setparam, 0),
        (libc::SYS_sched_setscheduler, 0),
        (libc::SYS_sched_setattr, 0),
        (libc::SYS_setpriority, 1),
        (libc::SYS_ioprio_set, 1),
    ] {
        rules.insert(call, not_itself(index)?);
    }
    let rule = |index, is, value: u64| {
        SeccompRule::new(vec![SeccompCondition::new(index, Width::Dword, is, value)?])
    };
    // Zero also means "the user of the caller", with all of its processes.
    for (call, the_user) in [(libc::SYS_setpriority, PRIORITY_OF_USER), (libc::SYS_ioprio_set, 3)] {
        rules.entry(call).or_default().push(rule(0, Is::Eq, the_user)?);
    }
    // A datagram can be addressed to anybody even by one of a pair, and its address lies in memory. The
    // kernel makes a datagram socket of a raw one.
    let kinds = [libc::SOCK_DGRAM, libc::SOCK_RAW].map(|it| u64::from(it.unsigned_abs()));
    for kind in kinds {
        let pairs = rules.entry(libc::SYS_socketpair).or_default();
        pairs.push(rule(1, Is::MaskedEq(0xf), kind)?);
    }
    // Sockets of the host, by path or by name; messages, which have addresses where no filter can read them,
    // and can carry files out of the watch's sight.
    rules.extend(REFUSED_ON_HOST.iter().map(|call| (*call, vec![])));
    Ok(())
}

/// Calls that reach the host where nothing but Landlock stands between.
#[rustfmt::skip]
const REFUSED_ON_HOST: &[c_long] = &[
    libc::SYS_socket, libc::SYS_connect, libc::SYS_bind, libc::SYS_sendmsg, libc::SYS_sendmmsg, libc::SYS_setxattr, libc::SYS_lsetxattr, libc::SYS_fsetxattr, libc::SYS_removexattr,
    libc::SYS_lremovexattr, libc::SYS_fremovexattr,
];

/// Calls that change the mode, owner and times of a file. Landlock, up to ABI 7, has no right for them,
/// so they have no effect where the user owns files.
#[rustfmt::skip]
const CHANGING_FILES: &[c_long] = &[
    libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_utimensat,
];

/// Older forms of the calls above.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const CHANGING_FILES_HERE: &[c_long] = &[
    libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes,
    libc::SYS_futimesat,
];

/// Newer architectures have no older forms of these calls.
#[cfg(not(target_arch = "x86_64"))]
const CHANGING_FILES_HERE: &[c_long] = &[];

/// Sockets that are neither of the machine itself nor TCP over IP: datagrams, raw ones, other families.
fn other_than_tcp() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let argument = |index, is, value: u64| SeccompCondition::new(index, Width::Dword, is, value);
    let number = |it: i32| u64::from(it.unsigned_abs());
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6].map(number);
    let mut rules = vec![];
    let others = families.iter().map(|it| argument(0, Is::Ne, *it)).collect::<Result<_, _>>()?;
    rules.push(SeccompRule::new(others)?);
    for family in families.into_iter().skip(1) {
        // The kind is in the low four bits, and TCP's is 1: another bit is set, or this one is not.
        for (mask, value) in [(2, 2), (4, 4), (8, 8), (1, 0)] {
            let kind = argument(1, Is::MaskedEq(mask), value)?;
            rules.push(SeccompRule::new(vec![argument(0, Is::Eq, family)?, kind])?);
        }
        let not_default = argument(2, Is::Ne, 0)?;
        let not_tcp = argument(2, Is::Ne, number(libc::IPPROTO_TCP))?;
        let family = argument(0, Is::Eq, family)?;
        rules.push(SeccompRule::new(vec![family, not_default, not_tcp])?);
    }
    Ok(rules)
}

/// Calls that reach other processes, the kernel's own state, or more kernel than Python needs.
#[rustfmt::skip]
const REFUSED: &[c_long] = &[
    // Other processes.
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_kcmp,
    libc::SYS_pidfd_getfd, libc::SYS_process_madvise, libc::SYS_process_mrelease,
    // Mounts, roots and namespaces.
    libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_unshare, libc::SYS_setns,
    libc::SYS_open_tree, libc::SYS_move_mount, libc::SYS_fsopen, libc::SYS_fsconfig, libc::SYS_fsmount,
    libc::SYS_fspick, libc::SYS_mount_setattr, libc::SYS_quotactl, libc::SYS_quotactl_fd,
    libc::SYS_name_to_handle_at, libc::SYS_open_by_handle_at,
    // Keys, programs in the kernel, and queues that go around the other filters.
    libc::SYS_add_key, libc::SYS_request_key, libc::SYS_keyctl, libc::SYS_bpf, libc::SYS_perf_event_open,
    libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_userfaultfd,
    libc::SYS_fanotify_init, libc::SYS_fanotify_mark, libc::SYS_lookup_dcookie,
    // The machine.
    libc::SYS_kexec_load, libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module,
    libc::SYS_reboot, libc::SYS_swapon, libc::SYS_swapoff, libc::SYS_acct, libc::SYS_syslog, libc::SYS_vhangup,
    libc::SYS_settimeofday, libc::SYS_clock_settime, libc::SYS_clock_adjtime, libc::SYS_adjtimex,
    libc::SYS_sethostname, libc::SYS_setdomainname, libc::SYS_nfsservctl,
    // Memory that no process is charged for.
    libc::SYS_memfd_secret, libc::SYS_shmget, libc::SYS_shmat, libc::SYS_shmctl, libc::SYS_shmdt,
    libc::SYS_semget, libc::SYS_semctl, libc::SYS_semop, libc::SYS_semtimedop, libc::SYS_msgget, libc::SYS_msgctl,
    libc::SYS_msgsnd, libc::SYS_msgrcv, libc::SYS_mq_open, libc::SYS_mq_unlink,
    libc::SYS_migrate_pages, libc::SYS_move_pages,
];

/// Calls that Python and the libraries of data work need, on every architecture.
#[rustfmt::skip]
const ALLOWED: &[c_long] = &[
    // Files.
    libc::SYS_read, libc::SYS_write, libc::SYS_readv, libc::SYS_writev, libc::SYS_pread64, libc::SYS_pwrite64,
    libc::SYS_preadv, libc::SYS_pwritev, libc::SYS_preadv2, libc::SYS_pwritev2, libc::SYS_close,
    libc::SYS_close_range, libc::SYS_openat, libc::SYS_openat2, libc::SYS_fstat, libc::SYS_newfstatat,
    libc::SYS_statx, libc::SYS_statfs, libc::SYS_fstatfs, libc::SYS_lseek, libc::SYS_getdents64,
    libc::SYS_readlinkat, libc::SYS_faccessat, libc::SYS_faccessat2, libc::SYS_mkdirat, libc::SYS_mknodat,
    libc::SYS_unlinkat, libc::SYS_renameat2, libc::SYS_linkat, libc::SYS_symlinkat,
    libc::SYS_fchmod, libc::SYS_fchmodat, libc::SYS_fchown, libc::SYS_fchownat, libc::SYS_utimensat,
    libc::SYS_truncate, libc::SYS_ftruncate, libc::SYS_fallocate, libc::SYS_fadvise64, libc::SYS_readahead,
    libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_sync, libc::SYS_syncfs,
    libc::SYS_flock, libc::SYS_fcntl, libc::SYS_ioctl, libc::SYS_dup, libc::SYS_dup3, libc::SYS_pipe2,
    libc::SYS_splice, libc::SYS_tee, libc::SYS_sendfile, libc::SYS_copy_file_range, libc::SYS_chdir,
    libc::SYS_fchdir, libc::SYS_getcwd, libc::SYS_umask, libc::SYS_getxattr, libc::SYS_lgetxattr,
    libc::SYS_fgetxattr, libc::SYS_listxattr, libc::SYS_llistxattr, libc::SYS_flistxattr, libc::SYS_setxattr,
    libc::SYS_lsetxattr, libc::SYS_fsetxattr, libc::SYS_removexattr, libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    // Memory.
    libc::SYS_mmap, libc::SYS_munmap, libc::SYS_mremap, libc::SYS_mprotect, libc::SYS_madvise, libc::SYS_brk,
    libc::SYS_msync, libc::SYS_mincore, libc::SYS_mlock, libc::SYS_mlock2, libc::SYS_munlock, libc::SYS_mlockall,
    libc::SYS_munlockall, libc::SYS_membarrier, libc::SYS_mbind, libc::SYS_get_mempolicy,
    libc::SYS_set_mempolicy, libc::SYS_pkey_alloc, libc::SYS_pkey_free, libc::SYS_pkey_mprotect,
    // Processes and threads.
    libc::SYS_clone, libc::SYS_execve, libc::SYS_execveat, libc::SYS_exit, libc::SYS_exit_group,
    libc::SYS_wait4, libc::SYS_waitid, libc::SYS_kill, libc::SYS_tkill, libc::SYS_tgkill, libc::SYS_getpid,
    libc::SYS_getppid, libc::SYS_gettid, libc::SYS_getpgid, libc::SYS_setpgid, libc::SYS_getsid,
    libc::SYS_setsid, libc::SYS_getuid, libc::SYS_geteuid, libc::SYS_getgid, libc::SYS_getegid,
    libc::SYS_getresuid, libc::SYS_getresgid, libc::SYS_getgroups, libc::SYS_setuid, libc::SYS_setgid,
    libc::SYS_setreuid, libc::SYS_setregid, libc::SYS_setresuid, libc::SYS_setresgid, libc::SYS_setfsuid,
    libc::SYS_setfsgid, libc::SYS_capget, libc::SYS_capset, libc::SYS_prctl, libc::SYS_personality,
    libc::SYS_prlimit64, libc::SYS_getrusage, libc::SYS_times,
    libc::SYS_getpriority, libc::SYS_setpriority, libc::SYS_ioprio_get, libc::SYS_ioprio_set,
    libc::SYS_sched_yield, libc::SYS_sched_getaffinity, libc::SYS_sched_setaffinity,
    libc::SYS_sched_getparam, libc::SYS_sched_setparam, libc::SYS_sched_getscheduler,
    libc::SYS_sched_setscheduler, libc::SYS_sched_getattr, libc::SYS_sched_setattr,
    libc::SYS_sched_get_priority_max, libc::SYS_sched_get_priority_min, libc::SYS_sched_rr_get_interval,
    libc::SYS_getcpu, libc::SYS_set_tid_address, libc::SYS_set_robust_list, libc::SYS_get_robust_list,
    libc::SYS_rseq, libc::SYS_futex, libc::SYS_futex_waitv, libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal, libc::SYS_restart_syscall,
    // Signals and time.
    libc::SYS_rt_sigaction, libc::SYS_rt_sigprocmask, libc::SYS_rt_sigreturn, libc::SYS_rt_sigpending,
    libc::SYS_rt_sigsuspend, libc::SYS_rt_sigtimedwait, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_sigaltstack, libc::SYS_signalfd4, libc::SYS_nanosleep, libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime, libc::SYS_clock_getres, libc::SYS_gettimeofday, libc::SYS_getitimer,
    libc::SYS_setitimer, libc::SYS_timer_create, libc::SYS_timer_settime, libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun, libc::SYS_timer_delete, libc::SYS_timerfd_create, libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    // Waiting, and sockets of the machine itself.
    libc::SYS_ppoll, libc::SYS_pselect6, libc::SYS_epoll_create1, libc::SYS_epoll_ctl, libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2, libc::SYS_eventfd2, libc::SYS_socket, libc::SYS_socketpair, libc::SYS_bind,
    libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4, libc::SYS_connect, libc::SYS_shutdown,
    libc::SYS_getsockname, libc::SYS_getpeername, libc::SYS_getsockopt, libc::SYS_setsockopt, libc::SYS_sendto,
    libc::SYS_recvfrom, libc::SYS_sendmsg, libc::SYS_recvmsg, libc::SYS_sendmmsg, libc::SYS_recvmmsg,
    // Facts about the machine that anybody may know.
    libc::SYS_uname, libc::SYS_sysinfo, libc::SYS_getrandom,
];

/// Older forms of the calls above, which newer architectures never had.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const ALLOWED_HERE: &[c_long] = &[
    libc::SYS_open, libc::SYS_creat, libc::SYS_stat, libc::SYS_lstat, libc::SYS_access, libc::SYS_readlink,
    libc::SYS_mkdir, libc::SYS_rmdir, libc::SYS_unlink, libc::SYS_rename, libc::SYS_link, libc::SYS_symlink,
    libc::SYS_mknod, libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes,
    libc::SYS_futimesat, libc::SYS_getdents, libc::SYS_dup2, libc::SYS_pipe, libc::SYS_poll, libc::SYS_select,
    libc::SYS_epoll_create, libc::SYS_epoll_wait, libc::SYS_eventfd, libc::SYS_signalfd,
    libc::SYS_fork, libc::SYS_vfork, libc::SYS_getpgrp, libc::SYS_alarm, libc::SYS_pause, libc::SYS_time,
    libc::SYS_arch_prctl, libc::SYS_renameat, libc::SYS_getrlimit, libc::SYS_setrlimit, libc::SYS_sync_file_range,
];

/// Newer architectures have no older forms of these calls.
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[c_long] = &[];
