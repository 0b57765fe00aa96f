//! Damage for tests: what disks, networks and other people do to files.

use inlay_base::Random;

/// A file that was flipped, cut or lengthened at places drawn at random, half of them in its first `headers` bytes, where
/// it hurts most.
pub fn damaged(bytes: &[u8], headers: usize, random: &mut Random) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    for _ in 0..1 + random.below(4) {
        let reach = if random.below(2) == 0 { changed.len().min(headers) } else { changed.len() };
        if reach == 0 {
            break;
        }
        let at = random.below(reach as u32) as usize;
        match random.below(4) {
            0 => changed.truncate(at),
            1 => changed.insert(at, random.below(256) as u8),
            2 => changed[at] = [0, 0xff, 0x7f, 0x80][random.below(4) as usize],
            _ => changed[at] ^= 1 << random.below(8),
        }
    }
    changed
}
