//! The sandbox against a hostile Python: each probe also runs outside, where it must succeed.

#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and probes run outside as well"
)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nbc::process::{Access, Ended, Isolation, Job, Limits, Mount, Openings, Outcome, Sandbox};
use test_support::SystemPython;

const MIB: u64 = 1024 * 1024;

static PYTHON: LazyLock<SystemPython> = LazyLock::new(SystemPython::find);

static SANDBOX: LazyLock<Sandbox> = LazyLock::new(|| {
    let launcher = Utf8Path::new(env!("CARGO_BIN_EXE_nbc"));
    match Sandbox::confined_with(Isolation::Strict, launcher) {
        Ok(sandbox) => sandbox,
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    }
});

fn job(script: &str) -> Job {
    let mut mounts = vec![];
    if !PYTHON.prefix.starts_with("/usr") {
        mounts.push(Mount {
            host: PYTHON.prefix.clone(),
            inside: PYTHON.prefix.clone(),
            access: Access::ReadOnly,
        });
    }
    Job {
        program: PYTHON.executable.clone(),
        arguments: ["-I", "-B", "-c", script].map(str::to_owned).to_vec(),
        environment: BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]),
        mounts,
        working_folder: "/tmp".into(),
        limits: Limits {
            wall: Duration::from_secs(20),
            cpu: Duration::from_secs(40),
            open_files: 1024,
            file_size: 16 * MIB,
            memory: 512 * MIB,
            processes: 64,
            temporary: 16 * MIB,
            console: 64 * 1024,
        },
        openings: Openings::default(),
    }
}

fn run(job: &Job) -> Ended {
    match SANDBOX.start(job) {
        Ok(running) => running.wait(),
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
    }
}

fn text(ended: &Ended) -> String {
    String::from_utf8_lossy(&ended.console).trim_end().to_owned()
}

/// Runs a script inside; gives what it printed.
fn inside(script: &str) -> String {
    let ended = run(&job(script));
    let text = text(&ended);
    assert_eq!(ended.outcome, Outcome::Exited(0), "{text}");
    text
}

/// Runs a script on the host; gives what it printed.
fn outside(script: &str) -> String {
    let output = Command::new(PYTHON.executable.as_str())
        .args(["-I", "-B", "-c", script])
        .output()
        .expect("python starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// A script that prints `done`, or the kind of error that a statement raises.
fn attempt(statement: &str) -> String {
    format!(
        "import os, socket, ctypes\ntry:\n    {statement}\n    print('done')\nexcept Exception as error:\n    print(type(error).__name__)\n"
    )
}

/// Host processes that are running our second stage or carry `mark` in their command line.
fn processes_with(mark: &str) -> Vec<String> {
    let mut found = vec![];
    for entry in fs_err::read_dir("/proc").expect("a process list").flatten() {
        let Ok(line) = fs_err::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(mark) && entry.file_name() != *std::process::id().to_string() {
            found.push(line);
        }
    }
    found
}

#[test]
fn every_layer_holds() {
    let names = SANDBOX.layers().iter().map(|it| it.name.as_str()).collect::<Vec<_>>();
    assert_eq!(
        names,
        [
            "user namespace",
            "mount namespace",
            "pid namespace",
            "network namespace",
            "ipc namespace",
            "uts namespace",
            "cgroup namespace",
            "file system view",
            "no privileges",
            "landlock",
            "seccomp",
            "resource limits",
        ]
    );
    assert!(SANDBOX.layers().iter().all(|it| it.active));
}

#[test]
fn a_program_prints_and_exits() {
    let ended = run(&job(
        "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr); sys.exit(3)",
    ));
    assert_eq!((ended.outcome, text(&ended).as_str()), (Outcome::Exited(3), "out\nerr"));
    assert!(ended.cpu > Duration::ZERO);
}

#[test]
fn a_signal_is_told_apart_from_an_exit() {
    let ended = run(&job("import os; os.abort()"));
    assert_eq!(ended.outcome, Outcome::Signalled(6));
}

#[test]
fn the_channel_is_descriptor_3() {
    let script = "import os, socket\nchannel = socket.socket(fileno=int(os.environ['NBC_CHANNEL']))\nchannel.sendall(channel.recv(4)[::-1])";
    let running = SANDBOX.start(&job(script)).expect("it starts");
    let mut channel = running.channel().expect("a descriptor");
    channel.write_all(b"ping").expect("it listens");
    let mut answer = vec![];
    channel.read_to_end(&mut answer).expect("it answers and closes");
    assert_eq!(answer, b"gnip");
    assert_eq!(running.wait().outcome, Outcome::Exited(0));
}

#[test]
fn the_environment_is_exactly_the_jobs() {
    let printed = inside("import os; print(sorted(os.environ))");
    assert_eq!(printed, "['LANG', 'NBC_CHANNEL']");
    assert!(outside("import os; print(sorted(os.environ))").contains("PATH"));
    assert_eq!(inside(&attempt("print(open('/proc/1/environ').read())")), "FileNotFoundError");
}

#[test]
fn nothing_of_the_host_is_there() {
    assert_eq!(
        inside(
            "import os; print(sorted(set(os.listdir('/')) - {'lib32', 'lib64', 'root', 'home'}))"
        ),
        "['bin', 'dev', 'etc', 'lib', 'proc', 'sbin', 'tmp', 'usr']"
    );
    for path in
        ["/etc/shadow", "/sys", "/var", "/run", "/root/.bashrc", "/etc/hostname", "/proc/kallsyms0"]
    {
        assert_eq!(inside(&attempt(&format!("os.stat('{path}')"))), "FileNotFoundError", "{path}");
    }
    assert_eq!(outside(&attempt("os.stat('/etc/shadow')")), "done");
}

#[test]
fn open_descriptors_do_not_come_along() {
    let _secret = fs_err::File::open("/etc/hostname").expect("a file");
    assert_eq!(
        inside("import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:4])"),
        "[0, 1, 2, 3]"
    );
    assert_eq!(inside(&attempt("os.fstat(4)")), "OSError");
}

#[test]
fn the_payload_is_nobody_with_no_rights() {
    let printed = inside(
        "import os\nprint(os.getuid(), os.getgid())\nfor line in open('/proc/self/status'):\n    if line.startswith(('CapEff', 'CapBnd', 'CapPrm', 'NoNewPrivs', 'Seccomp:')): print(line.split()[1])",
    );
    assert_eq!(printed, "1000 1000\n0000000000000000\n0000000000000000\n0000000000000000\n1\n2");
}

#[test]
fn the_payload_is_never_root_on_the_host() {
    let running =
        SANDBOX.start(&job("import time; time.sleep(20); 'host-uid-probe'")).expect("it starts");
    let owners = fs_err::read_dir("/proc")
        .expect("a process list")
        .flatten()
        .filter(|it| {
            fs_err::read(it.path().join("cmdline")).is_ok_and(|line| {
                line.starts_with(PYTHON.executable.as_str().as_bytes())
                    && String::from_utf8_lossy(&line).contains("host-uid-probe")
            })
        })
        .map(|it| {
            let status = fs_err::read_to_string(it.path().join("status")).expect("it runs");
            status.lines().find_map(|it| it.strip_prefix("Uid:\t")).expect("a uid").to_owned()
        })
        .collect::<Vec<_>>();
    running.kill();
    assert_eq!(running.wait().outcome, Outcome::Killed);
    assert_eq!(owners.len(), 1);
    assert!(owners.iter().all(|it| !it.starts_with("0\t")), "{owners:?}");
}

#[test]
fn there_is_no_network() {
    assert_eq!(inside(&attempt("socket.socket(socket.AF_INET)")), "PermissionError");
    assert_eq!(
        inside(&attempt("socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)")),
        "PermissionError"
    );
    assert_eq!(outside(&attempt("socket.socket(socket.AF_INET)")), "done");
    let interfaces =
        "print([line.split(':')[0].strip() for line in open('/proc/self/net/dev') if ':' in line])";
    assert_eq!(inside(interfaces), "['lo']");
    assert_ne!(outside(interfaces), "['lo']");
}

#[test]
fn system_folders_cannot_be_written() {
    for path in ["/usr/probe", "/probe", "/etc/passwd", "/dev/probe", "/proc/self/oom_score_adj"] {
        let printed = inside(&attempt(&format!("open('{path}', 'w')")));
        assert!(["OSError", "PermissionError"].contains(&printed.as_str()), "{path}: {printed}");
    }
    assert_eq!(inside(&attempt("open('/tmp/probe', 'w').write('x')")), "done");
    assert_eq!(inside(&attempt("open('/dev/shm/probe', 'w').write('x')")), "done");
    assert_eq!(inside(&attempt("open('/dev/null', 'w').write('x')")), "done");
    assert_eq!(inside("open('/dev/stdout', 'w').write('x')"), "x");
}

#[test]
fn kernel_settings_are_out_of_reach() {
    let open = attempt("open('/proc/sys/kernel/core_pattern', 'r+')");
    assert_eq!(inside(&open), "FileNotFoundError");
    assert_eq!(inside("print(open('/proc/kallsyms').read() == '')"), "True");
}

#[test]
fn other_processes_of_the_host_are_invisible() {
    let count = "import os; print(len([it for it in os.listdir('/proc') if it.isdigit()]))";
    assert_eq!(inside(count), "1");
    assert!(outside(count).parse::<u32>().expect("a number") > 1);
}

#[test]
fn dangerous_calls_are_refused() {
    let call = |name: &str, arguments: &str| {
        inside(&format!(
            "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\nprint(libc.{name}({arguments}), ctypes.get_errno())"
        ))
    };
    assert_eq!(call("unshare", "0x10000000"), "-1 1");
    assert_eq!(
        inside(&attempt(
            "import mmap; mmap.mmap(-1, 1 << 21, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)"
        )),
        "PermissionError"
    );
    assert_eq!(call("ptrace", "0, 0, 0, 0"), "-1 1");
    assert_eq!(call("mount", "b'a', b'/tmp', b'tmpfs', 0, None"), "-1 1");
    assert_eq!(call("memfd_create", "b'a', 0"), "-1 38");
    assert_eq!(call("ioctl", "0, ctypes.c_ulong(0x100005412), b'x'"), "-1 1");
    assert_eq!(call("syscall", &format!("{}, 0x10000011, 0, 0, 0, 0", libc::SYS_clone)), "-1 1");
}

#[test]
fn what_libraries_need_is_allowed() {
    assert_eq!(
        inside(
            "import asyncio, subprocess, threading, multiprocessing.pool, tempfile, os\n\
             async def main(): await asyncio.sleep(0); return 1\n\
             print(asyncio.run(main()))\n\
             print(subprocess.run(['/bin/echo', '2'], capture_output=True, text=True).stdout.strip())\n\
             print(multiprocessing.pool.ThreadPool(4).map(abs, [-3])[0])\n\
             with multiprocessing.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-4])[0])\n\
             print(tempfile.TemporaryFile().write(b'12345'))\n"
        ),
        "1\n2\n3\n4\n5"
    );
}

#[test]
fn a_read_only_mount_can_be_read_and_not_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = Utf8Path::from_path(folder.path()).expect("UTF-8");
    fs_err::write(host.join("data.csv"), "1,2").expect("written");
    let mut job =
        job("print(open('/data/data.csv').read(), flush=True); open('/data/data.csv', 'w')");
    job.mounts.push(Mount {
        host: host.to_owned(),
        inside: "/data".into(),
        access: Access::ReadOnly,
    });
    let ended = run(&job);
    assert!(text(&ended).starts_with("1,2\n"), "{}", text(&ended));
    assert!(text(&ended).contains("Read-only file system"), "{}", text(&ended));
    assert_eq!(fs_err::read_to_string(host.join("data.csv")).expect("read"), "1,2");
}

#[test]
fn writes_to_an_overlay_stay_inside() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let host = Utf8Path::from_path(folder.path()).expect("UTF-8");
    fs_err::create_dir(host.join("sub")).expect("made");
    fs_err::write(host.join("sub/private.txt"), "old").expect("written");
    // Only the owner may read; inside, the payload has to pass for the owner.
    for (path, mode) in [("", 0o700), ("sub", 0o700), ("sub/private.txt", 0o600)] {
        fs_err::set_permissions(host.join(path), std::fs::Permissions::from_mode(mode))
            .expect("set");
    }
    let mut job = job(
        "import os\nprint(open('sub/private.txt').read())\nopen('sub/private.txt', 'a').write('+new')\n\
         print(open('sub/private.txt').read())\nopen('made', 'w').write('x')\nos.remove('sub/private.txt'); print(sorted(os.listdir('.')), os.listdir('sub'))",
    );
    job.mounts.push(Mount { host: host.to_owned(), inside: "/nb".into(), access: Access::Overlay });
    job.working_folder = "/nb".into();
    let ended = run(&job);
    assert_eq!(text(&ended), "old\nold+new\n['made', 'sub'] []");
    assert_eq!(fs_err::read_to_string(host.join("sub/private.txt")).expect("read"), "old");
    assert!(!host.join("made").exists());
}

#[test]
fn a_missing_mount_is_named() {
    let mut job = job("");
    job.mounts.push(Mount {
        host: "/no/such".into(),
        inside: "/x".into(),
        access: Access::ReadOnly,
    });
    let error = SANDBOX.start(&job).expect_err("it is missing").to_string();
    assert_eq!(error, "`/no/such` cannot be mounted in the sandbox (opening it)");
}

#[test]
fn a_missing_program_is_named() {
    let mut job = job("");
    job.program = "/no/such".into();
    let error = SANDBOX.start(&job).expect_err("it is missing").to_string();
    assert!(error.starts_with("`/no/such` did not start"), "{error}");
}

#[test]
fn a_sleeping_program_is_stopped_at_the_wall_clock() {
    let mut job = job("print('begun', flush=True); import time; time.sleep(60)");
    job.limits.wall = Duration::from_millis(700);
    let start = Instant::now();
    let ended = run(&job);
    assert_eq!((ended.outcome, text(&ended).as_str()), (Outcome::TimedOut, "begun"));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_memory_bomb_is_stopped() {
    let ended = run(&job("bomb = []\nwhile True: bomb.append(b'x' * 1_000_000)"));
    assert_eq!(ended.outcome, Outcome::OutOfMemory);
}

#[test]
fn a_bomb_of_page_tables_is_stopped() {
    // Every two megabytes read cost a page table of 4 KiB, and no resident page.
    let ended = run(&job(
        "import mmap, ctypes\nsize = 1 << 40\narea = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, prot=mmap.PROT_READ)\n\
         for offset in range(0, size, 1 << 21): area[offset]\nprint('all of it')",
    ));
    assert_eq!((ended.outcome, text(&ended).as_str()), (Outcome::OutOfMemory, ""));
}

#[test]
fn a_memory_bomb_of_several_processes_is_stopped() {
    let ended = run(&job(
        "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        keep = b'x' * 200_000_000\n        time.sleep(60)\ntime.sleep(60)",
    ));
    assert_eq!(ended.outcome, Outcome::OutOfMemory);
}

#[test]
fn memory_of_the_kernel_that_no_page_shows_is_stopped() {
    // A control group may count it for root; otherwise nbc does.
    let epolls = "import os, select, time\nfor _ in range(16):\n    if os.fork() == 0:\n        events = [os.eventfd(0) for _ in range(480)]\n        kept = [select.epoll() for _ in range(480)]\n        for one in kept:\n            for event in events: one.register(event, 1)\n        time.sleep(60)\ntime.sleep(60)";
    let mappings = "import ctypes, os, time\nc = ctypes.CDLL(None)\nc.mmap.restype = ctypes.c_void_p\nfor _ in range(40):\n    if os.fork() == 0:\n        at = c.mmap(None, ctypes.c_size_t(8192 * 30000), 0, 0x4022, -1, 0)\n        for i in range(30000): c.mprotect(ctypes.c_void_p(at + 8192 * i), ctypes.c_size_t(4096), 1)\n        time.sleep(60)\ntime.sleep(60)";
    for (name, script) in [("epolls", epolls), ("mappings", mappings)] {
        let mut job = job(script);
        job.limits.memory = 256 * MIB;
        assert_eq!(run(&job).outcome, Outcome::OutOfMemory, "{name}");
    }
}

#[test]
fn what_lies_in_sockets_counts_as_memory() {
    let fill = |kind: &str| {
        format!(
            "import os, socket, time\nfor _ in range(12):\n    if os.fork() == 0:\n        kept = []\n        while True:\n            try:\n                one, other = socket.socketpair(socket.AF_UNIX, socket.{kind})\n            except OSError: time.sleep(60)\n            kept += [one, other]\n            for end in one, other:\n                end.setblocking(False)\n                try:\n                    while True: end.send(b'x' * 32768)\n                except BlockingIOError: pass\ntime.sleep(60)"
        )
    };
    for kind in ["SOCK_STREAM", "SOCK_DGRAM"] {
        assert_eq!(run(&job(&fill(kind))).outcome, Outcome::OutOfMemory, "{kind}");
    }
}

#[test]
fn buffers_of_sockets_and_pipes_keep_their_size() {
    for call in [
        "socket.socketpair()[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)",
        "fcntl.fcntl(os.pipe()[0], 1031, 1 << 20)",
    ] {
        let script = format!(
            "import fcntl, os, socket\ntry: {call}\nexcept PermissionError: print('refused')"
        );
        assert_eq!(inside(&script), "refused", "{call}");
    }
}

#[test]
fn a_few_hundred_pipes_and_sockets_are_no_bomb() {
    let script = "import os, socket\nkept = [(os.pipe(), socket.socketpair()) for _ in range(200)]\nimport time; time.sleep(0.3)\nprint(len(kept))";
    assert_eq!(inside(script), "200");
}

#[test]
fn files_in_temporary_folders_count_as_memory() {
    let mut job = job(
        "import time\nfor folder, size in ('/tmp', 60), ('/dev/shm', 40):\n    with open(f'{folder}/a', 'wb') as file:\n        for _ in range(size): file.write(b'x' * (1 << 20))\ntime.sleep(5)",
    );
    job.limits.temporary = 512 * MIB;
    job.limits.file_size = 512 * MIB;
    // Either folder alone would fit.
    job.limits.memory = 100 * MIB;
    let ended = run(&job);
    assert_eq!(ended.outcome, Outcome::OutOfMemory, "{}", text(&ended));
}

/// The folder of this process's control group of version 1, where memory is counted and root may make others.
fn group_of_version_1() -> Option<Utf8PathBuf> {
    let groups = fs_err::read_to_string("/proc/self/cgroup").expect("a process has groups");
    let own = groups.lines().find_map(|it| it.split_once(":memory:"))?.1;
    let folder = Utf8PathBuf::from(format!("/sys/fs/cgroup/memory{own}"));
    let probe = folder.join(format!("probe-{}", std::process::id()));
    fs_err::create_dir(&probe).and_then(|()| fs_err::remove_dir(&probe)).ok().map(|()| folder)
}

#[test]
fn a_group_of_version_1_counts_what_no_process_shows() {
    let Some(folder) = group_of_version_1() else {
        return println!("skipped: no hierarchy of version 1 can be written to");
    };
    // One that a killed nbc left behind: no process has such a number.
    let left_behind = folder.join("nbc-4194999-0");
    fs_err::create_dir(&left_behind).expect("made");
    // Pages of pipes belong to no process, so that the watch alone lets this run to its end.
    let script = "import fcntl, os\nkept = []\nfor _ in range(900):\n    one, other = os.pipe()\n    os.set_blocking(other, False)\n    kept += [one, other]\n    try:\n        while True: os.write(other, b'x' * 4096)\n    except BlockingIOError: pass\nprint('survived', flush=True)\nimport time; time.sleep(1)";
    let mut job = job(script);
    job.limits.open_files = 4096;
    job.limits.memory = 50 * MIB;
    let ended = run(&job);
    assert_eq!((ended.outcome, text(&ended).as_str()), (Outcome::OutOfMemory, ""));
    let bound = job.limits.memory;
    assert!(ended.memory > bound / 2 && ended.memory <= bound, "{}", ended.memory);
    let own = format!("nbc-{}-", std::process::id());
    assert!(!left_behind.exists());
    job.limits.memory = 512 * MIB;
    let ended = run(&job);
    assert_eq!((ended.outcome, text(&ended).as_str()), (Outcome::Exited(0), "survived"));
    // Other tests of this process have groups of their own meanwhile, and each is gone with its run.
    let start = Instant::now();
    loop {
        let entries = folder.read_dir_utf8().expect("listed").flatten();
        let left = entries.filter(|it| it.file_name().starts_with(&own)).count();
        if left == 0 || start.elapsed() > Duration::from_secs(60) {
            break assert_eq!(left, 0);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_child_that_the_kernel_kills_ends_the_run() {
    // The watch finds the same without a control group.
    let script = "import os, time\nif os.fork() == 0:\n    keep = b'x' * 900_000_000\n    time.sleep(60)\nos.wait()\ntime.sleep(60)";
    assert_eq!(run(&job(script)).outcome, Outcome::OutOfMemory);
}

#[test]
fn pages_that_forks_share_count_once() {
    let ended = run(&job(
        "import os, time\nkeep = b'x' * 200_000_000\npids = []\nfor _ in range(6):\n    pid = os.fork()\n    if pid == 0:\n        time.sleep(0.5)\n        os._exit(0)\n    pids.append(pid)\nfor pid in pids: os.waitpid(pid, 0)\nprint('shared')",
    ));
    assert_eq!((ended.outcome, text(&ended).as_str()), (Outcome::Exited(0), "shared"));
}

#[test]
fn a_fork_bomb_is_bounded() {
    let script = "import os, time\ncount = 0\ntry:\n    while count < 500:\n        if os.fork() == 0:\n            time.sleep(30)\n            os._exit(0)\n        count += 1\nexcept BlockingIOError:\n    print('bounded', 40 < count <= 64, flush=True)\nos._exit(0)";
    assert_eq!(inside(script), "bounded True");
}

#[test]
fn temporary_space_is_bounded() {
    let fill = "import os\ntry:\n    with open('/tmp/big', 'wb') as file:\n        for _ in range(100): file.write(b'x' * 1_000_000); file.flush()\nexcept OSError as error:\n    print(error.errno)";
    // Either the size of a file or that of the folder is reached first.
    assert!(["27", "28"].contains(&inside(fill).as_str()));
    let several = "i = 0\ntry:\n    for i in range(100):\n        with open(f'/tmp/big{i}', 'wb') as file: file.write(b'x' * 1_000_000)\nexcept OSError as error:\n    print(error.errno, i < 17)";
    assert_eq!(inside(several), "28 True");
}

#[test]
fn console_text_is_cut_at_its_bound() {
    let mut job = job("for i in range(100_000): print(f'{i:09}')");
    job.limits.console = 1000;
    let ended = run(&job);
    assert_eq!(ended.console.len(), 1000);
    assert!(ended.console.ends_with(b"000099999\n"));
}

#[test]
fn a_daemon_does_not_survive_the_end() {
    let script = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        time.sleep(300); 'daemon-probe'\n    os._exit(0)\ntime.sleep(0.2)\nos._exit(0)";
    let start = Instant::now();
    assert_eq!(run(&job(script)).outcome, Outcome::Exited(0));
    assert!(start.elapsed() < Duration::from_secs(10), "it held the console open");
    assert_eq!(processes_with("daemon-probe"), Vec::<String>::new());
}

#[test]
fn a_killer_ends_the_tree_from_another_thread() {
    let running =
        SANDBOX.start(&job("import time; time.sleep(300); 'killer-probe'")).expect("it starts");
    let killer = running.killer();
    std::thread::spawn(move || killer.kill());
    assert_eq!(running.wait().outcome, Outcome::Killed);
    assert_eq!(processes_with("killer-probe"), Vec::<String>::new());
}

#[test]
fn dropping_a_run_ends_it() {
    drop(SANDBOX.start(&job("import time; time.sleep(300); 'drop-probe'")).expect("it starts"));
    assert_eq!(processes_with("drop-probe"), Vec::<String>::new());
}

#[test]
fn runs_side_by_side_do_not_see_each_other() {
    let count = "import os, time; time.sleep(0.3); print(len([it for it in os.listdir('/proc') if it.isdigit()]))";
    let all = (0..4).map(|_| SANDBOX.start(&job(count)).expect("it starts")).collect::<Vec<_>>();
    for running in all {
        assert_eq!(text(&running.wait()), "1");
    }
}

/// The other process of the two tests below: an nbc that waits for a notebook.
#[test]
fn holds_a_notebook_when_asked_to() {
    let Ok(mark) = std::env::var("NBC_TEST_HOLD") else { return };
    let running = SANDBOX.start(&job(&format!("print(1); import time; time.sleep(300); '{mark}'")));
    println!("holding");
    drop(running.map(nbc::process::Running::wait));
}

fn holder(mark: &str) -> std::process::Child {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "holds_a_notebook_when_asked_to", "--nocapture"])
        .env("NBC_TEST_HOLD", mark)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut output = child.stdout.take().expect("a pipe");
    let mut said = vec![];
    while !String::from_utf8_lossy(&said).contains("holding") {
        let mut byte = [0];
        output.read_exact(&mut byte).expect("it says so");
        said.extend(byte);
    }
    assert_eq!(processes_with(mark).len(), 1, "the notebook runs");
    child
}

fn is_gone_soon(mark: &str) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        if processes_with(mark).is_empty() && orphans().is_empty() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Second stages whose parent is neither a test nor another stage, nor the `nbc` of somebody else.
fn orphans() -> Vec<String> {
    let command = |pid: &str| {
        let line = fs_err::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).replace('\0', " ")
    };
    let mut found = vec![];
    for entry in fs_err::read_dir("/proc").expect("a process list").flatten() {
        let pid = entry.file_name().to_string_lossy().into_owned();
        if !command(&pid).contains("nbc __sandbox") {
            continue;
        }
        let Ok(status) = fs_err::read_to_string(entry.path().join("status")) else { continue };
        let parent = status.lines().find_map(|it| it.strip_prefix("PPid:\t")).unwrap_or("0");
        let parent = command(parent);
        let program = parent.split(' ').next().and_then(|it| it.rsplit('/').next());
        if !parent.contains("sandbox") && program.is_none_or(|it| !it.starts_with("nbc")) {
            found.push(format!("{pid} of `{parent}`"));
        }
    }
    found
}

#[test]
fn killing_nbc_leaves_no_process_and_no_mount() {
    let mounts = fs_err::read_to_string("/proc/self/mountinfo").expect("mounts");
    for round in 0..5 {
        let mark = format!("kill-probe-{round}");
        let mut child = holder(&mark);
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(is_gone_soon(&mark));
    }
    assert_eq!(fs_err::read_to_string("/proc/self/mountinfo").expect("mounts"), mounts);
}

#[test]
fn killing_nbc_at_any_moment_of_the_start_leaves_nothing() {
    for delay in (0..60).step_by(3) {
        let mark = format!("moment-probe-{delay:02}");
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", "holds_a_notebook_when_asked_to"])
            .env("NBC_TEST_HOLD", &mark)
            .stdout(std::process::Stdio::null())
            .spawn()
            .expect("it starts");
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(is_gone_soon(&mark), "killed after {delay} ms");
    }
}

#[test]
fn an_interrupt_from_the_terminal_ends_the_tree() {
    let mut child = holder("interrupt-probe");
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill runs").success());
    child.wait().expect("ended");
    assert!(is_gone_soon("interrupt-probe"));
}

#[test]
fn a_socket_of_the_host_cannot_be_reached_through_a_mount() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    let host = Utf8Path::from_path(folder.path()).expect("UTF-8");
    let path = host.join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&path).expect("bound");
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).expect("set");
    let connect = |path: &str| attempt(&format!("socket.socket(socket.AF_UNIX).connect('{path}')"));
    assert_eq!(outside(&connect(path.as_str())), "done");
    for access in [Access::ReadOnly, Access::Overlay] {
        let mut job = job(&connect("/data/socket"));
        job.mounts.push(Mount { host: host.to_owned(), inside: "/data".into(), access });
        assert_eq!(text(&run(&job)), "ConnectionRefusedError", "{access:?}");
    }
}

#[test]
fn the_list_of_mounts_does_not_name_the_project() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = Utf8Path::from_path(folder.path()).expect("UTF-8");
    let mut job = job("print(open('/proc/self/mountinfo').read())");
    job.mounts.push(Mount { host: host.to_owned(), inside: "/nb".into(), access: Access::Overlay });
    job.mounts.push(Mount {
        host: host.to_owned(),
        inside: "/data".into(),
        access: Access::ReadOnly,
    });
    let printed = text(&run(&job));
    assert!(printed.contains(" /data ") && !printed.contains(host.as_str()), "{printed}");
}

/// Confines under an outer filter that answers one system call with an error, as a container's profile does.
fn refusal_when_denied(call: i64, errno: i32) -> String {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
    let denied = SeccompFilter::new(
        BTreeMap::from([(call, vec![])]),
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        std::env::consts::ARCH.try_into().expect("a known architecture"),
    );
    let program = BpfProgram::try_from(denied.expect("a filter")).expect("a program");
    // A filter binds one thread and what it starts.
    let confine = move || {
        seccompiler::apply_filter(&program).expect("loaded");
        let launcher = Utf8Path::new(env!("CARGO_BIN_EXE_nbc"));
        Sandbox::confined_with(Isolation::Strict, launcher)
            .expect_err("a layer is missing")
            .to_string()
    };
    std::thread::spawn(confine).join().expect("it ends")
}

#[test]
fn a_refused_layer_is_named_with_the_way_out() {
    for (call, errno, layer, way_out) in [
        (libc::SYS_unshare, libc::EPERM, "user namespace", "In Docker"),
        (libc::SYS_unshare, libc::ENOSPC, "user namespace", "user.max_user_namespaces"),
        (libc::SYS_mount_setattr, libc::ENOSYS, "file system view", "Linux 5.12"),
        (libc::SYS_pivot_root, libc::EACCES, "file system view", "AppArmor"),
        (libc::SYS_landlock_create_ruleset, libc::ENOSYS, "landlock", "Linux 5.13"),
        (libc::SYS_seccomp, libc::EINVAL, "seccomp", "without system call filters"),
        (libc::SYS_capset, libc::EPERM, "no privileges", "ordinary user"),
    ] {
        let message = refusal_when_denied(call, errno);
        assert!(message.starts_with(&format!("the `{layer}` layer cannot be had")), "{message}");
        assert!(message.contains(way_out), "{message}");
    }
}

#[test]
fn confines_or_says_why_when_asked_to() {
    if std::env::var_os("NBC_TEST_CONFINE").is_none() {
        return;
    }
    match Sandbox::confined_with(Isolation::Strict, Utf8Path::new(env!("CARGO_BIN_EXE_nbc"))) {
        Ok(_) => println!("confined"),
        Err(error) => println!("refused: {error}"),
    }
}

/// The result of confining when the kernel's own setting was changed first, in a user namespace of its own.
fn confine_after(set_up: &str) -> String {
    let output = Command::new("unshare")
        .args(["--user", "--map-user=1000", "--map-group=1000", "--keep-caps", "sh", "-c"])
        .arg(format!(
            "{set_up}; exec \"$0\" --exact confines_or_says_why_when_asked_to --nocapture"
        ))
        .arg(std::env::current_exe().expect("this binary"))
        .env("NBC_TEST_CONFINE", "1")
        .output()
        .expect("unshare is installed");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn user_namespaces_switched_off_by_sysctl_are_named() {
    let off = confine_after("echo 0 >/proc/sys/user/max_user_namespaces");
    assert!(off.contains("refused: the `user namespace` layer cannot be had"), "{off}");
    assert!(off.contains("sysctl -w user.max_user_namespaces"), "{off}");
    let on = confine_after("true");
    assert!(on.contains("confined"), "{on}");
}

#[test]
fn mounts_nest_in_any_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = Utf8Path::from_path(folder.path()).expect("UTF-8");
    let (project, data) = (host.join("a project"), host.join("data"));
    fs_err::create_dir(&project).expect("made");
    fs_err::create_dir(&data).expect("made");
    fs_err::write(data.join("table.csv"), "1").expect("written");
    let mut job = job(
        "import os\nfor root, _, files in os.walk('/nb'): print(root, files)\nopen('/nb/data/x', 'w')",
    );
    for (host, inside, access) in [
        (data.join("table.csv"), "/nb/deep/er/table.csv", Access::ReadOnly),
        (data, "/nb/data", Access::ReadOnly),
        (project.clone(), "/nb", Access::Overlay),
    ] {
        job.mounts.push(Mount { host, inside: inside.into(), access });
    }
    let printed = text(&run(&job));
    for line in ["/nb/data ['table.csv']", "/nb/deep/er ['table.csv']", "Read-only file system"] {
        assert!(printed.contains(line), "{printed}");
    }
    assert_eq!(fs_err::read_dir(project).expect("listed").count(), 0);
}

#[test]
fn a_link_of_the_project_does_not_lead_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let host = Utf8Path::from_path(folder.path()).expect("UTF-8");
    fs_err::write(host.join("outside"), "secret").expect("written");
    fs_err::create_dir(host.join("project")).expect("made");
    std::os::unix::fs::symlink(host.join("outside"), host.join("project/link")).expect("linked");
    std::os::unix::fs::symlink("../outside", host.join("project/relative")).expect("linked");
    assert_eq!(outside(&attempt(&format!("open('{host}/project/link')"))), "done");
    for name in ["link", "relative", "../outside", "/proc/self/cwd/../outside"] {
        let mut job = job(&attempt(&format!("open('{name}')")));
        let project =
            Mount { host: host.join("project"), inside: "/nb".into(), access: Access::Overlay };
        job.mounts.push(project);
        job.working_folder = "/nb".into();
        assert_eq!(text(&run(&job)), "FileNotFoundError", "{name}");
    }
}

#[test]
fn a_stopped_tree_is_still_killed() {
    let mut job = job("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)");
    job.limits.wall = Duration::from_millis(500);
    assert_eq!(run(&job).outcome, Outcome::TimedOut);
}

#[test]
fn a_program_that_kills_itself_is_not_taken_for_a_limit() {
    let ended = run(&job("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"));
    assert_eq!(ended.outcome, Outcome::Signalled(9));
}
