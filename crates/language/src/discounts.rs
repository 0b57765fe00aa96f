use inlay_base::{Error, Result};

use crate::levels::{Level, PRUNED};

/// What is taken from counts of 1, of 2, and of 3 and more: Chen and Goodman 1998, "An Empirical Study
/// of Smoothing Techniques for Language Modeling", equation 26.
///
/// ```text
///     Y = n1 / (n1 + 2 n2)        D(j) = j - (j + 1) Y n(j+1) / n(j)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Discounts([f32; 3]);

impl Discounts {
    /// From the n-grams of an order; `fallback` where these have no such discounts. Every operation is
    /// rounded to f32, as in lmplz.
    ///
    /// # Errors
    /// `InvalidInput`: there are none, and no fallback.
    pub fn of(
        level: &Level,
        order: usize,
        highest: bool,
        fallback: Option<[f32; 3]>,
    ) -> Result<Self> {
        let mut n = level.tally;
        // lmplz takes the last n-gram of a lower order by how often it occurs: its adjusted count
        // would be right. Without this, probabilities differ from its own in the third digit.
        if let (false, Some(last)) = (highest, level.last) {
            if let Some(n) = n.get_mut((level.counts[level.len - 1] & !PRUNED) as usize) {
                *n -= 1;
            }
            if let Some(n) = n.get_mut(last as usize) {
                *n += 1;
            }
        }
        match (closed_form(&n), fallback) {
            (Ok(discounts), _) => Ok(Self(discounts)),
            (Err(_), Some(fallback)) => Ok(Self(fallback)),
            (Err(problem), None) => Err(Error::InvalidInput {
                source: "the text".into(),
                offset: None,
                problem: format!(
                    "is too small or too uniform for Kneser-Ney discounts of order {order}: {problem} \
(`discountFallback` gives others for such texts)"
                ),
            }),
        }
    }

    /// Those of counts 1, 2, and 3 and more.
    pub fn values(self) -> [f32; 3] {
        self.0
    }

    /// Whatever is taken from a count.
    #[inline]
    pub fn at(self, count: u32) -> f32 {
        match count {
            0 => 0.0,
            1..=3 => self.0[count as usize - 1],
            _ => self.0[2],
        }
    }

    /// What is left of a count.
    #[inline]
    pub fn left_of(self, count: u32) -> f32 {
        count as f32 - self.at(count)
    }
}

fn closed_form(n: &[u64; 5]) -> std::result::Result<[f32; 3], String> {
    if let Some(missing) = (1..4).find(|&count| n[count] == 0) {
        return Err(format!("no n-gram has the adjusted count {missing}"));
    }
    let y = n[1] as f32 / (n[1] as f64 + 2.0 * n[2] as f64) as f32;
    let mut discounts = [0.0; 3];
    for j in 1..4 {
        let discount = j as f32 - (j + 1) as f32 * y * n[j + 1] as f32 / n[j] as f32;
        if !(0.0..=j as f32).contains(&discount) {
            return Err(format!("the discount of count {j} would be {discount}"));
        }
        discounts[j - 1] = discount;
    }
    Ok(discounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn discounts_follow_the_formula_and_say_where_it_fails() {
        let [one, two, three] = closed_form(&[9, 40, 20, 10, 5]).unwrap();
        let y = 0.5;
        assert_eq!(
            [one, two, three],
            [1.0 - 2.0 * y * 0.5, 2.0 - 3.0 * y * 0.5, 3.0 - 4.0 * y * 0.5]
        );
        assert!(closed_form(&[0, 1, 0, 1, 1]).unwrap_err().contains("adjusted count 2"));
        assert!(closed_form(&[0, 10, 1, 100, 1]).unwrap_err().contains("count 2 would be"));
        let discounts = Discounts([0.5, 1.0, 1.5]);
        let left: Vec<f32> = (0..6).map(|count| discounts.left_of(count)).collect();
        assert_eq!(left, [0.0, 0.5, 1.0, 1.5, 2.5, 3.5]);
    }
}
