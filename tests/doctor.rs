//! `nbc doctor` on hosts that lack something: the kernel's own settings and real filters, no stand-ins.

#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on has failed, and it starts nbc itself"
)]

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Output};

use serde_json::Value;
use test_support::{is_root, nbc};

/// Nobody's number, on every system that the tests run on.
const ORDINARY: u32 = 65_533;

struct Report {
    code: Option<i32>,
    report: Value,
}

impl Report {
    fn of(output: &Output) -> Report {
        let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
        });
        Report { code: output.status.code(), report }
    }

    fn entry(&self, list: &str, name: &str) -> &Value {
        let list_of = self.report.get(list).and_then(Value::as_array);
        let mut entries = list_of.expect("a list").iter();
        entries.find(|it| it["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}"))
    }

    fn layer(&self, name: &str) -> (bool, String, String) {
        let it = self.entry("layers", name);
        let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
        (it["available"].as_bool().expect("a bool"), text("reason"), text("way_out"))
    }

    fn level(&self, name: &str) -> (bool, String) {
        let it = self.entry("levels", name);
        let is_available = it["available"].as_bool().expect("a bool");
        (is_available, it["detail"].as_str().expect("a text").to_owned())
    }
}

fn doctor() -> Command {
    let mut command = Command::new(nbc());
    command.args(["doctor", "--format", "json"]);
    command
}

/// The report under an outer filter that answers one call with an error, as a container's profile does.
fn where_denied(call: i64, errno: i32) -> Report {
    use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

    let denied = SeccompFilter::new(
        BTreeMap::from([(call, vec![])]),
        SeccompAction::Allow,
        SeccompAction::Errno(errno.unsigned_abs()),
        std::env::consts::ARCH.try_into().expect("a known architecture"),
    );
    let program = BpfProgram::try_from(denied.expect("a filter")).expect("a program");
    // A filter binds one thread and what it starts.
    let ask = move || {
        seccompiler::apply_filter(&program).expect("loaded");
        Report::of(&doctor().output().expect("nbc starts"))
    };
    std::thread::spawn(ask).join().expect("it ends")
}

const ALL: [&str; 13] = [
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
    "landlock, by itself",
    "seccomp",
    "resource limits",
];

#[test]
fn a_whole_host_gives_every_layer_to_root_and_to_an_ordinary_user() {
    check_whole(&Report::of(&doctor().output().expect("nbc starts")));
    if !is_root() {
        return;
    }
    // Its own copy: an ordinary user may not enter the folder of the build.
    let folder = tempfile::Builder::new().prefix("nbc-doctor-").tempdir_in("/tmp").expect("made");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).expect("opened");
    let copy = folder.path().join("nbc");
    std::fs::copy(nbc(), &copy).expect("copied");
    let mut command = Command::new(&copy);
    command.args(["doctor", "--format", "json"]).uid(ORDINARY).gid(ORDINARY).current_dir("/");
    check_whole(&Report::of(&command.output().expect("nbc starts")));
}

fn check_whole(report: &Report) {
    for name in ALL {
        let (is_there, reason, way_out) = report.layer(name);
        assert!(is_there && reason.is_empty() && way_out.is_empty(), "{name}: {reason}; {way_out}");
    }
    assert_eq!(report.level("strict"), (true, String::new()));
    assert_eq!(report.level("best-effort"), (true, String::new()));
    assert_eq!(report.code, Some(0));
}

#[test]
fn an_outer_filter_that_denies_namespaces_leaves_best_effort() {
    let report = where_denied(libc::SYS_unshare, libc::EPERM);
    let (is_there, reason, way_out) = report.layer("user namespace");
    assert!(!is_there && reason.contains("not permitted") && way_out.contains("In Docker"));
    for name in ["mount namespace", "network namespace", "file system view"] {
        assert_eq!(report.layer(name), (false, "needs the user namespace".into(), String::new()));
    }
    for name in ["no privileges", "landlock", "seccomp", "resource limits"] {
        assert!(report.layer(name).0, "{name}");
    }
    let (is_strict, why) = report.level("strict");
    assert!(!is_strict && why.contains("user namespace"), "{why}");
    let (is_there, without) = report.level("best-effort");
    assert!(is_there && without.contains("network namespace"), "{without}");
    assert!(!without.contains("landlock") && !without.contains("seccomp"), "{without}");
    assert_eq!(report.code, Some(1));
}

#[test]
fn a_kernel_without_landlock_leaves_namespaces() {
    let report = where_denied(libc::SYS_landlock_create_ruleset, libc::ENOSYS);
    let (is_there, _, way_out) = report.layer("landlock");
    assert!(!is_there && way_out.contains("lsm="), "{way_out}");
    assert!(report.layer("user namespace").0);
    assert!(!report.level("strict").0);
    assert_eq!(report.level("best-effort"), (true, "without landlock".to_owned()));
}

#[test]
fn a_host_that_lets_nobody_mount_leaves_best_effort() {
    let report = where_denied(libc::SYS_move_mount, libc::EPERM);
    assert!(report.layer("mount namespace").0);
    let (is_there, _, way_out) = report.layer("file system view");
    assert!(!is_there && way_out.contains("AppArmor"), "{way_out}");
    assert!(!report.level("strict").0);
    assert!(report.level("best-effort").0);
}

#[test]
fn without_filters_no_level_is_left() {
    let report = where_denied(libc::SYS_seccomp, libc::EINVAL);
    assert!(!report.layer("seccomp").0);
    let (is_there, why) = report.level("best-effort");
    assert!(!is_there && why.contains("seccomp"), "{why}");
    assert!(!report.level("strict").0);
}

#[test]
fn namespaces_switched_off_by_the_kernels_setting_are_told_apart() {
    // The setting is changed for a user namespace of the test's own.
    let set_up = "echo 0 >/proc/sys/user/max_user_namespaces; exec \"$0\" doctor --format json";
    let output = Command::new("unshare")
        .args(["--user", "--map-user=1000", "--map-group=1000", "--keep-caps", "sh", "-c", set_up])
        .arg(nbc())
        .output()
        .expect("unshare is installed");
    let report = Report::of(&output);
    let (is_there, _, way_out) = report.layer("user namespace");
    assert!(!is_there && way_out.contains("user.max_user_namespaces"), "{way_out}");
    assert!(!report.level("strict").0);
}

#[test]
fn a_control_group_that_counts_nothing_is_no_help() {
    let groups = fs_err::read_to_string("/proc/self/cgroup").expect("a process has groups");
    let own = groups.lines().find_map(|it| it.strip_prefix("0::")).unwrap_or_default();
    let counts = |root: &str| {
        let handed_on = fs_err::read_to_string(format!("{root}{own}/cgroup.subtree_control"));
        handed_on.is_ok_and(|it| it.contains("memory") && it.contains("pids"))
    };
    let report = Report::of(&doctor().output().expect("nbc starts"));
    let (is_there, reason, way_out) = report.layer("control group");
    // This test shares its group with nbc, so nbc cannot leave it for one below.
    let of_version_1 = groups.lines().find_map(|it| it.split_once(":memory:")).is_some_and(|it| {
        let probe = format!("/sys/fs/cgroup/memory{}/probe-{}", it.1, std::process::id());
        fs_err::create_dir(&probe).and_then(|()| fs_err::remove_dir(&probe)).is_ok()
    });
    if of_version_1 {
        assert!(is_there, "{reason}");
    } else if !["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].into_iter().any(counts) {
        assert!(!is_there && way_out.contains("systemd-run"), "{reason}; {way_out}");
    }
    assert!(report.level("strict").0, "no level needs it");
}
