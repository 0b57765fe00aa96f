//! How well scores rank: the area under the ROC curve, from the sum of ranks (Mann and Whitney 1947).

/// How probable it is that an item of the second class has a higher score for it than one of the first; ties count
/// half. `shares` has both scores of each item: [items, 2]. None where all items are of one class.
pub fn area_under_curve(shares: &[f32], wanted: &[u32]) -> Option<f64> {
    let scores = shares.chunks_exact(2).map(|row| row[1]);
    let mut ranked: Vec<(f32, bool)> = scores.zip(wanted.iter().map(|&class| class == 1)).collect();
    ranked.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut seconds, mut ranks, mut before) = (0.0, 0.0, 0.0);
    for ties in ranked.chunk_by(|a, b| a.0 == b.0) {
        let among = ties.iter().filter(|(_, is_second)| *is_second).count() as f64;
        seconds += among;
        // Ties share the mean of their ranks, which count from 1.
        ranks += among * (before + (ties.len() as f64 + 1.0) / 2.0);
        before += ties.len() as f64;
    }
    let pairs = seconds * (before - seconds);
    (pairs > 0.0).then(|| (ranks - seconds * (seconds + 1.0) / 2.0) / pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_share_of_pairs_in_order() {
        let area = |scores: &[f32], wanted: &[u32]| {
            let shares: Vec<f32> = scores.iter().flat_map(|&score| [1.0 - score, score]).collect();
            area_under_curve(&shares, wanted)
        };
        assert_eq!(area(&[0.1, 0.4, 0.35, 0.8], &[0, 0, 1, 1]), Some(0.75));
        assert_eq!(area(&[0.5, 0.5, 0.5], &[1, 0, 1]), Some(0.5));
        assert_eq!(area(&[0.5, 0.7], &[1, 1]), None);
        assert_eq!(area(&[], &[]), None);
        let random = |i: u32| i.wrapping_mul(2_654_435_761) >> 20;
        let scores: Vec<f32> = (0..300).map(|i| (random(i) % 37) as f32 / 37.0).collect();
        let wanted: Vec<u32> = (0..300).map(|i| random(i + 1000) % 2).collect();
        let pairs = (0..300).flat_map(|i| (0..300).map(move |j| (i, j)));
        let pairs = pairs.filter(|&(i, j)| wanted[i] == 1 && wanted[j] == 0);
        let (mut right, mut all) = (0.0, 0.0);
        for (i, j) in pairs {
            all += 1.0;
            right += match scores[i].total_cmp(&scores[j]) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
        assert!((area(&scores, &wanted).unwrap() - right / all).abs() < 1e-12);
    }
}
