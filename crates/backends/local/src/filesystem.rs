//! File systems on which a lock, or a notice of a change, does not mean what it should.

use std::path::Path;

/// By the number that statfs tells, on Linux.
#[cfg(any(target_os = "linux", test))]
const REFUSED: &[(u32, &str)] = &[
    // Other machines share these, or locks stay on this one.
    (0x0000_6969, "nfs"),
    (0x0000_517b, "smb"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb2"),
    (0x0000_564c, "ncp"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "kafs"),
    (0x7375_7245, "coda"),
    (0x00c3_6400, "ceph"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x0116_1970, "gfs2"),
    (0x7461_636f, "ocfs2"),
    (0x2003_0528, "orangefs"),
    (0x1983_0326, "beegfs"),
    (0xaad7_aaea, "panfs"),
    (0xbeef_dead, "snfs"),
    (0x6163_6673, "acfs"),
    (0x0131_11a8, "ibrix"),
    (0xa501_fcf5, "vxfs"),
    // A server outside this kernel decides.
    (0x0102_1997, "9p"),
    (0x6573_5546, "fuse"),
    (0x786f_4256, "vboxsf"),
    (0xbacb_acbc, "vmhgfs"),
    (0x7c7c_6673, "prl_fs"),
    // One path, two files: before and after the first write.
    (0x794c_7630, "overlay"),
    (0x6175_6673, "aufs"),
];

/// Why a folder's file system is refused: its type.
#[cfg(target_os = "linux")]
pub(crate) fn refusal(path: &Path) -> Option<String> {
    let found = rustix::fs::statfs(path).ok()?;
    // The numbers have 32 bits; the field is signed on some machines, and wider on most.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the numbers have 32 bits")]
    let kind = found.f_type as u32;
    name(kind).map(str::to_owned)
}

#[cfg(target_os = "macos")]
pub(crate) fn refusal(path: &Path) -> Option<String> {
    /// MNT_LOCAL: the file system is stored on this machine.
    const LOCAL: u32 = 0x1000;
    let found = rustix::fs::statfs(path).ok()?;
    let letters = found.f_fstypename.iter().take_while(|letter| **letter != 0);
    let kind: String = letters.map(|letter| char::from(letter.cast_unsigned())).collect();
    (found.f_flags & LOCAL == 0 || kind.contains("fuse")).then_some(kind)
}

#[cfg(any(target_os = "linux", test))]
fn name(kind: u32) -> Option<&'static str> {
    REFUSED.iter().find(|(number, _)| *number == kind).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_systems_that_others_share_or_emulate_are_refused() {
        for (number, kind) in [
            (0x6969, "nfs"),
            (0x0102_1997, "9p"),
            (0x6573_5546, "fuse"),
            (0x794c_7630, "overlay"),
            (0xff53_4d42, "cifs"),
            (0x1983_0326, "beegfs"),
            (0x7c7c_6673, "prl_fs"),
        ] {
            assert_eq!(name(number), Some(kind));
        }
    }

    #[test]
    fn file_systems_of_this_machine_are_taken() {
        // tmpfs, ext4, xfs, btrfs, zfs, f2fs, ramfs
        for number in [0x0102_1994, 0xef53, 0x5846_5342, 0x9123_683e, 0x2fc1_2fc1, 0xf2f5_2010, 0x8584_58f6] {
            assert_eq!(name(number), None, "{number:x}");
        }
        #[cfg(target_os = "linux")]
        assert_eq!(refusal(Path::new("/dev/shm")), None);
    }
}
