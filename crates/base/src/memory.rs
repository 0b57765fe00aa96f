//! How much memory there is to be had: the system promises more than it has, and then kills whoever uses it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Bytes that every machine has: not worth a look at what the system says.
const LITTLE: u64 = 1 << 23;

/// Nothing, if so many bytes can be had; `None` stands for more than can be counted.
///
/// # Errors
/// `OutOfMemory`.
pub fn afford(bytes: Option<u64>) -> Result<()> {
    if bytes.is_some_and(|bytes| bytes <= LITTLE) {
        return Ok(());
    }
    let (asked, free) = (bytes.unwrap_or(u64::MAX), available());
    match bytes.is_none() || free.is_some_and(|free| asked > free) {
        true => Err(Error::OutOfMemory { asked, free }),
        false => Ok(()),
    }
}

/// Bytes that can be allocated without harm, where the system tells: of the machine, or of the container if that has less.
pub(crate) fn available() -> Option<u64> {
    let machine = of_machine(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let root = Path::new("/sys/fs/cgroup");
    let containers = folders(root, &groups).into_iter().filter_map(|folder| of_container(&folder));
    Some(containers.fold(machine, u64::min))
}

fn of_machine(info: &str) -> Option<u64> {
    let field = |name: &str| -> Option<u64> {
        let line = info.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()?.checked_mul(1024)
    };
    Some(field("MemAvailable:")? + field("SwapFree:").unwrap_or(0))
}

/// Where limits of the groups that a process is in may lie: its own group's and, as a container sees only its own part of
/// the tree, the root's.
fn folders(root: &Path, groups: &str) -> Vec<PathBuf> {
    let mut all = vec![root.to_path_buf(), root.join("memory")];
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let path = path.trim_start_matches('/');
        match controllers {
            "" => all.push(root.join(path)),
            _ if controllers.split(',').any(|name| name == "memory") => {
                all.push(root.join("memory").join(path));
            }
            _ => {}
        }
    }
    all
}

/// What a group of processes may still take, if it has a limit. Pages of files that nobody has used lately go when others
/// want their place.
fn of_container(folder: &Path) -> Option<u64> {
    let number = |name: &str| -> Option<u64> {
        fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok()
    };
    let either = |new: &str, old: &str| number(new).or_else(|| number(old));
    let limit = either("memory.max", "memory.limit_in_bytes")?;
    let used = either("memory.current", "memory.usage_in_bytes")?;
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let idle = |name: &str| -> Option<u64> {
        stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
    };
    let idle = idle("total_inactive_file ").or_else(|| idle("inactive_file ")).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(idle)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_is_is_an_error() {
        assert!(afford(Some(1 << 20)).is_ok());
        for bytes in [None, Some(u64::MAX), Some(1 << 60)] {
            let outcome = afford(bytes);
            if bytes.is_none() || available().is_some() {
                assert!(matches!(outcome, Err(Error::OutOfMemory { .. })), "{bytes:?}");
            }
        }
    }

    #[test]
    fn a_machine_has_what_is_available_and_what_can_be_swapped() {
        let info = "MemTotal: 9 kB\nMemAvailable:   3 kB\nSwapTotal: 4 kB\nSwapFree: 1 kB\n";
        assert_eq!(of_machine(info), Some(4096));
        assert_eq!(of_machine("MemTotal: 9 kB\n"), None);
    }

    #[test]
    fn a_container_has_what_its_limit_leaves() {
        let root = tempfile::tempdir().unwrap();
        let (new, old) = (root.path().join("a/b"), root.path().join("memory/c"));
        for (folder, files) in [
            (&new, [("memory.max", "1000"), ("memory.current", "700")]),
            (&old, [("memory.limit_in_bytes", "500"), ("memory.usage_in_bytes", "100")]),
        ] {
            fs::create_dir_all(folder).unwrap();
            files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).unwrap());
        }
        fs::write(new.join("memory.stat"), "anon 9\ninactive_file 200\n").unwrap();
        let groups = "12:cpu,cpuacct:/x\n11:memory:/c\n0::/a/b\n";
        let found = folders(root.path(), groups);
        let found: Vec<u64> = found.iter().filter_map(|folder| of_container(folder)).collect();
        assert_eq!(found, [400, 500]);
        fs::write(new.join("memory.max"), "max\n").unwrap();
        assert_eq!(of_container(&new), None);
    }
}
