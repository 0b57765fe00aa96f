//! How much a head looks at what is how far away: a value for each bucket of distances.

use serde::Deserialize;

/// Buckets of distances from a position to another, half of them for those behind it: the nearest have one each, further
/// ones more and more together, and from `furthest` on all are in the last (Raffel et al. 2020, arXiv:1910.10683).
#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
pub(super) struct Buckets {
    pub buckets: usize,
    pub furthest: usize,
}

impl Buckets {
    /// What is wrong with them.
    pub fn problem(self) -> Option<String> {
        let Self { buckets, furthest } = self;
        let fits = buckets >= 4 && buckets.is_multiple_of(4) && furthest > buckets / 4;
        let most = 1 << 16;
        (!fits || furthest > most || buckets > most).then(|| {
            let wanted = "relative buckets by fours, and the furthest beyond a quarter of them";
            format!("expects {wanted}, got {buckets} and {furthest}")
        })
    }

    /// The bucket of a distance, which is above 0 for what comes behind.
    fn of(self, distance: isize) -> usize {
        let half = self.buckets / 2;
        let first = if distance > 0 { half } else { 0 };
        let (near, distance) = (half / 2, distance.unsigned_abs());
        if distance < near {
            return first + distance;
        }
        // In single precision, as those that trained with it have it.
        let ratio = (distance as f32 / near as f32).ln();
        let whole = (self.furthest as f64 / near as f64).ln() as f32;
        let further = (ratio / whole * (half - near) as f32) as usize;
        first + (near + further).min(half - 1)
    }

    /// [heads, 2·furthest + 1]: a value for each distance, of what is learnt for each bucket: [buckets, heads].
    pub fn lay_out(self, learnt: &[f32], heads: usize, to: &mut Vec<f32>) {
        let furthest = self.furthest as isize;
        to.clear();
        for head in 0..heads {
            let distances = -furthest..=furthest;
            to.extend(distances.map(|distance| learnt[self.of(distance) * heads + head]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Buckets;

    #[test]
    fn buckets_are_those_of_t5() {
        let buckets = Buckets { buckets: 32, furthest: 128 };
        assert!(buckets.problem().is_none());
        // What `relative_position_bucket` of transformers gives for these.
        let wanted = [
            (0, 0),
            (-1, 1),
            (-7, 7),
            (-8, 8),
            (-11, 8),
            (-12, 9),
            (-16, 10),
            (-23, 11),
            (-32, 12),
            (-64, 14),
            (-90, 14),
            (-91, 15),
            (-500, 15),
            (1, 17),
            (8, 24),
            (16, 26),
            (64, 30),
            (127, 31),
            (128, 31),
        ];
        for (distance, bucket) in wanted {
            assert_eq!(buckets.of(distance), bucket, "{distance}");
        }
        let mut table = Vec::new();
        let learnt: Vec<f32> = (0..64).map(|i| i as f32).collect();
        buckets.lay_out(&learnt, 2, &mut table);
        assert_eq!(table.len(), 2 * 257);
        assert_eq!((table[128], table[129], table[257 + 127]), (0.0, 34.0, 3.0));
        assert!(Buckets { buckets: 6, furthest: 128 }.problem().is_some());
        assert!(Buckets { buckets: 32, furthest: 8 }.problem().is_some());
    }
}
