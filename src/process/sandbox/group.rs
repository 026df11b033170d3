//! A control group (v2) of the run's own, where nbc may make one: the kernel then counts the memory of the
//! tree to the page, with what pipes and page tables hold, and stops it before the watch could see it.
//!
//! nbc may where a service manager delegates its group, as `systemd-run --user --scope -p Delegate=yes`
//! does. Elsewhere the watch alone holds the limit.
//! Source: Linux, Documentation/admin-guide/cgroup-v2.rst.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use camino::{Utf8Path, Utf8PathBuf};

use super::super::Limits;

/// The control group of one run; removed with this value.
#[derive(Debug)]
pub(super) struct Group {
    folder: Utf8PathBuf,
}

/// What the group has to count.
const CONTROLLERS: [&str; 2] = ["memory", "pids"];
/// Followed by the number of the nbc that made it.
const PREFIX: &str = "nbc-";

impl Group {
    /// Makes a group below the one that nbc is in.
    ///
    /// # Errors
    /// Nothing is delegated to nbc, which is the usual case outside of services.
    pub(super) fn make(limits: &Limits) -> io::Result<Group> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);

        let parent = delegated()?;
        remove_left_behind(&parent);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
        fs_err::create_dir(&folder)?;
        let group = Group { folder };
        group.write("memory.max", &limits.memory.to_string())?;
        // The outer and the first process are inside as well.
        group.write("pids.max", &(u64::from(limits.processes) + 2).to_string())?;
        // A kernel without swap has no such file, and needs none.
        drop(group.write("memory.swap.max", "0"));
        group.write("memory.oom.group", "1")?;
        Ok(group)
    }

    fn write(&self, file: &str, value: &str) -> io::Result<()> {
        fs_err::write(self.folder.join(file), value)
    }

    /// Puts a process into the group, with all that it starts from now on.
    pub(super) fn add(&self, pid: u32) -> io::Result<()> {
        self.write("cgroup.procs", &pid.to_string())
    }

    /// Whether the kernel killed the tree for want of memory.
    pub(super) fn ran_out_of_memory(&self) -> bool {
        let events = fs_err::read_to_string(self.folder.join("memory.events"));
        events.is_ok_and(|it| count_of(&it, "oom_kill") > 0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Whoever is still in it has been killed, and leaves within moments.
        for _ in 0..50 {
            match fs_err::remove_dir(&self.folder) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                _ => break,
            }
        }
        if let Some(parent) = self.folder.parent() {
            leave_leaf(parent);
        }
    }
}

/// Takes nbc back to the group that it came from, so that nothing of it is left at the end.
fn leave_leaf(parent: &Utf8Path) {
    let itself = std::process::id().to_string();
    let leaf = parent.join(format!("{PREFIX}{itself}"));
    if leaf.is_dir() {
        let steps = || {
            // A group that hands controllers on may hold no process.
            let unwanted = CONTROLLERS.map(|it| format!("-{it}")).join(" ");
            fs_err::write(parent.join("cgroup.subtree_control"), unwanted)?;
            fs_err::write(parent.join("cgroup.procs"), &itself)?;
            fs_err::remove_dir(&leaf)
        };
        // Another run of this nbc still has a group here; its end does the same.
        let _: io::Result<()> = steps();
    }
}

/// The group in which nbc may make others that count what they should.
fn delegated() -> io::Result<Utf8PathBuf> {
    let own = own_group()?;
    if counts(&own)? {
        return Ok(own);
    }
    // A group that holds processes cannot hand its controllers on, so nbc has to leave it for one below.
    let itself = std::process::id().to_string();
    if fs_err::read_to_string(own.join("cgroup.procs"))?.trim() != itself {
        let message = "the memory controller is not delegated to nbc's control group";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let leaf = own.join(format!("{PREFIX}{itself}"));
    fs_err::create_dir(&leaf)?;
    fs_err::write(leaf.join("cgroup.procs"), itself)?;
    let wanted = CONTROLLERS.map(|it| format!("+{it}")).join(" ");
    fs_err::write(own.join("cgroup.subtree_control"), wanted)?;
    Ok(own)
}

fn counts(group: &Utf8Path) -> io::Result<bool> {
    let handed_on = fs_err::read_to_string(group.join("cgroup.subtree_control"))?;
    Ok(CONTROLLERS.iter().all(|it| handed_on.split_whitespace().any(|found| found == *it)))
}

/// The folder of the group that delegates to nbc: its own, or the one above a leaf that nbc made.
fn own_group() -> io::Result<Utf8PathBuf> {
    let groups = fs_err::read_to_string("/proc/self/cgroup")?;
    let mounts = fs_err::read_to_string("/proc/self/mountinfo")?;
    let folder = folder_of(&groups, &mounts)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no cgroup v2 here"))?;
    let leaf = format!("{PREFIX}{}", std::process::id());
    Ok(if folder.file_name() == Some(&leaf) {
        folder.parent().map(Utf8Path::to_owned).unwrap_or(folder)
    } else {
        folder
    })
}

fn folder_of(groups: &str, mounts: &str) -> Option<Utf8PathBuf> {
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let (root, place) = mounts.lines().find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        kind.starts_with("cgroup2 ").then_some((fields.next()?, fields.next()?))
    })?;
    let below = Utf8Path::new(group).strip_prefix(root).ok()?;
    Some(Utf8Path::new(place).join(below))
}

/// Groups of an nbc that was killed; the kernel removes none that holds a process.
fn remove_left_behind(parent: &Utf8Path) {
    let Ok(entries) = parent.read_dir_utf8() else { return };
    for entry in entries.flatten() {
        let owner = entry.file_name().strip_prefix(PREFIX);
        let owner = owner.and_then(|it| it.split('-').next()?.parse::<u32>().ok());
        let Some(owner) = owner else { continue };
        if !Utf8PathBuf::from(format!("/proc/{owner}")).exists() {
            drop(fs_err::remove_dir(entry.path()));
        }
    }
}

fn count_of(text: &str, name: &str) -> u64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(found, _)| *found == name).and_then(|(_, count)| count.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_found_below_its_mount() {
        let mounts = "\
25 1 0:23 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro\n\
30 25 0:27 /user.slice /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw\n";
        let groups = "8:pids:/x\n0::/user.slice/run-1.scope\n";
        let found = folder_of(groups, mounts);
        assert_eq!(found, Some("/sys/fs/cgroup/unified/run-1.scope".into()));
        assert_eq!(folder_of("0::/other\n", mounts), None);
        assert_eq!(folder_of("4:memory:/\n", mounts), None);
    }

    #[test]
    fn events_are_counted_by_their_whole_name() {
        let events = "low 0\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(count_of(events, "oom_kill"), 2);
        assert_eq!(count_of(events, "none"), 0);
    }
}
