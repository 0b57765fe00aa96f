//! From how often terms occur to what they weigh, as scikit-learn's TfidfTransformer does:
//!
//! ```text
//! tf = count, or 1 + ln count        idf = ln((n + s) / (df + s)) + 1, s = 1 where it is smooth
//! row = tf · idf / |tf · idf|
//! ```

use serde::{Deserialize, Serialize};

/// What a row is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// Nothing.
    None,
    /// The sum of its absolute values.
    L1,
    /// Its length.
    L2,
}

/// What terms weigh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Weighting {
    /// Whether a term counts once in a document, however often it is there.
    pub binary: bool,
    /// Whether a count c weighs 1 + ln c.
    pub sublinear: bool,
    /// Whether terms of few documents weigh more.
    pub idf: bool,
    /// Whether document frequencies count as if one more document had every term.
    pub smooth: bool,
    /// What a row is divided by.
    pub norm: Norm,
}

impl Weighting {
    /// The inverse document frequency of a term.
    pub fn idf_of(&self, documents: u64, document_frequency: u32) -> f64 {
        if !self.idf {
            return 1.0;
        }
        let smooth = f64::from(u8::from(self.smooth));
        ((documents as f64 + smooth) / (f64::from(document_frequency) + smooth)).ln() + 1.0
    }

    /// What a term weighs in a document in which it occurs so often, without its idf.
    #[inline]
    pub fn tf(&self, count: i32) -> f64 {
        match f64::from(count) {
            count if self.binary => count.signum(),
            count if self.sublinear && count > 0.0 => 1.0 + count.ln(),
            count => count,
        }
    }

    /// Divides a row by what its norm says.
    #[inline]
    pub fn normalize(&self, row: &mut [f32]) {
        let wide = row.iter().map(|&value| f64::from(value));
        let size = match self.norm {
            Norm::None => return,
            Norm::L1 => wide.map(f64::abs).sum::<f64>(),
            Norm::L2 => wide.map(|value| value * value).sum::<f64>().sqrt(),
        };
        if size > 0.0 {
            let scale = 1.0 / size;
            row.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
        }
    }
}
