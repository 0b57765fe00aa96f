//! Attention of an item's rows to each other (Vaswani et al. 2017, arXiv:1706.03762, equation 1), for
//! each head with queries Q, keys K and values V of n values a row:
//!
//! ```text
//! S = Q·Kᵀ / √n + B    P = softmax of each row of S    O = P·V
//!
//! backward, with δᵢ = Σ dOᵢ·Oᵢ:
//! dV = Pᵀ·dO    dP = dO·Vᵀ    dS = P·(dP - δ) / √n    dQ = dS·K    dK = dSᵀ·Q
//! ```
//!
//! where B, if there is one, depends on how far a key is from a query (Shaw et al. 2018, arXiv:1803.02155; Raffel et al.
//! 2020, arXiv:1910.10683; on a map Liu et al. 2021, arXiv:2103.14030), and is not learnt here.
//!
//! Of P only the logarithm of each row's Σ eˢ is kept, and S is worked out again to go backward (Dao et
//! al. 2022, arXiv:2205.14135). Some queries at a time meet all keys: memory grows with the length and
//! not with its square, and each value is still one chain in the order of keys, or of queries.

#[cfg(target_arch = "x86_64")]
mod narrow;
#[cfg(test)]
mod tests;
mod weights;
mod windows;

use inlay_base::Random;
#[cfg(target_arch = "x86_64")]
pub(crate) use narrow::Room;
use weights::{Share, Sight, Slopes, Times, Weigh};
pub use windows::{MapWindows, Within};

use crate::{Desk, Kernels, Matrix, Start, Target, multiply};

/// Queries at a time: their scores by 512 keys fit the second cache, forward and backward.
const QUERIES: usize = 64;

/// How rows look at each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Attention<'a> {
    /// Parts of a row that look for themselves.
    pub heads: usize,
    /// n, the values of a head's query, key and value.
    pub width: usize,
    /// Whether a row sees only itself and those before it.
    pub causal: bool,
    /// Rows that it sees on each side of itself; `None`: all.
    pub window: Option<usize>,
    /// B, for each head by the distance from a query to a key, from the furthest before it to the furthest behind it, whose
    /// value those beyond have as well: [heads, 2·furthest + 1]. Empty: there is none.
    pub relative: &'a [f32],
    /// B·√n for each pair of rows: [heads, length, length], where rows see all others. Empty: there is none.
    pub pairs: &'a [f32],
    /// The windows of a map, within which its rows look at each other; `None`: everywhere.
    pub within: Option<Within<'a>>,
    /// In training, each weight becomes zero with this probability.
    pub dropout: f32,
    /// Whether `forward` may round what it multiplies to eight binary digits, where that is faster and nothing falls out.
    pub narrow: bool,
}

/// Some queries of a head, and the keys that they see.
struct Block {
    head: usize,
    first: usize,
    queries: usize,
    first_key: usize,
    keys: usize,
}

impl Attention<'_> {
    /// How long the scratch for an item of `length` rows is.
    pub fn scratch(&self, length: usize) -> usize {
        if let Some(within) = self.within {
            return within.scratch(self);
        }
        3 * QUERIES.min(length) * length
    }

    /// `projected` holds queries, keys and values, each of all heads: [length, 3·heads·width]. What the
    /// heads see goes to `output` [length, heads·width], and what `backward` needs to `logarithms`
    /// [heads, length]. `random` is there if weights are to fall out.
    ///
    /// # Panics
    /// If the lengths do not fit.
    #[allow(clippy::too_many_arguments)]
    pub fn forward(
        &self,
        kernels: Kernels,
        projected: &[f32],
        output: &mut [f32],
        logarithms: &mut [f32],
        mut random: Option<&mut Random>,
        scratch: &mut [f32],
        desk: &mut Desk,
    ) {
        let length = self.length(projected, output, logarithms);
        if let Some(within) = self.within {
            let found = (output, logarithms);
            return within.forward(self, kernels, projected, found, random, (scratch, desk));
        }
        let output = Target::new(output, length, self.heads * self.width);
        let logarithms = Target::new(logarithms, self.heads, length);
        #[cfg(target_arch = "x86_64")]
        if let Some(halves) = self.halves(kernels).filter(|_| random.is_none()) {
            let found = (output, logarithms);
            return self.forward_narrow(halves, kernels, projected, found, scratch, desk);
        }
        let look =
            |block: &Block, scratch: &mut [f32], random: Option<&mut Random>, desk: &mut Desk| {
                // SAFETY: each block has queries of a head of its own, and this is called once for each.
                let own = unsafe { self.own(&output, &logarithms, block) };
                self.look(kernels, block, projected, own, random, scratch, desk);
            };
        match desk.crew_for(2 * length * length * self.heads * self.width) {
            Some(crew) if random.is_none() => {
                let blocks: Vec<Block> = self.blocks(length).collect();
                crew.each(blocks.len(), &|number| {
                    let block = &blocks[number];
                    let mut scores = vec![0.0; block.queries * block.keys];
                    look(block, &mut scores, None, &mut Desk::default());
                });
            }
            _ => {
                for block in self.blocks(length) {
                    look(&block, scratch, random.as_deref_mut(), desk);
                }
            }
        }
    }

    /// What the queries of a block see.
    #[allow(clippy::too_many_arguments)]
    fn look(
        &self,
        kernels: Kernels,
        block: &Block,
        projected: &[f32],
        (mut output, mut logarithms): (Target<'_>, Target<'_>),
        random: Option<&mut Random>,
        scratch: &mut [f32],
        desk: &mut Desk,
    ) {
        let &Block { head, first, queries, first_key, keys } = block;
        let (scores, scratch) = scratch.split_at_mut(queries * keys);
        let q = self.part(projected, 0, head, first, queries);
        let k = self.part(projected, 1, head, first_key, keys);
        let v = self.part(projected, 2, head, first_key, keys);
        let start = self.begin(block, scores);
        let to = Target::new(scores, queries, keys);
        multiply(kernels, q, k.transposed(), start, None, to, desk);
        let shares = self.weigh(kernels, block, scores, logarithms.values(0));
        if let Some(random) = random {
            let factors = &mut scratch[..queries * keys];
            self.fall(random, factors);
            kernels.run(Times { factors, to: scores });
        }
        let p = Matrix::new(scores, queries, keys);
        multiply(kernels, p, v, Start::Zero, None, output.again(), desk);
        kernels.run(Share { shares: &shares[..queries], output });
    }

    /// Scores of a block become weights, which are still to be divided by their sums: what is given back is one over these.
    fn weigh(
        &self,
        kernels: Kernels,
        block: &Block,
        scores: &mut [f32],
        logarithms: &mut [f32],
    ) -> [f32; QUERIES] {
        self.add_relative(block, scores);
        let mut shares = [0.0; QUERIES];
        kernels.run(Weigh {
            keys: block.keys,
            sight: self.sight(block),
            scale: self.scale(),
            scores,
            logarithms,
            shares: &mut shares,
        });
        shares
    }

    /// A block's own part of what all heads give.
    ///
    /// # Safety
    /// As of `Target::part`.
    unsafe fn own<'a>(
        &self,
        output: &'a Target<'_>,
        logarithms: &'a Target<'_>,
        &Block { head, first, queries, .. }: &Block,
    ) -> (Target<'a>, Target<'a>) {
        let (down, across) = (first..first + queries, head * self.width..(head + 1) * self.width);
        // SAFETY: the caller's promise.
        unsafe { (output.part(down.clone(), across), logarithms.part(head..head + 1, down)) }
    }

    /// From the gradient of the output to that of `projected`; all else is as `forward` had it or left
    /// it, `random` as it was before.
    ///
    /// # Panics
    /// If the lengths do not fit.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        kernels: Kernels,
        projected: &[f32],
        output: &[f32],
        logarithms: &[f32],
        output_gradient: &[f32],
        gradient: &mut [f32],
        mut random: Option<&mut Random>,
        scratch: &mut [f32],
        desk: &mut Desk,
    ) {
        let length = self.length(projected, output, logarithms);
        assert_eq!((output_gradient.len(), gradient.len()), (output.len(), projected.len()));
        if let Some(within) = self.within {
            let known = (projected, output, logarithms, output_gradient);
            return within.backward(self, kernels, known, gradient, random, (scratch, desk));
        }
        // Where not all queries of an item look at all keys, sums begin with nothing.
        let all = !self.causal && self.window.is_none();
        if !all {
            gradient.fill(0.0);
        }
        let room = QUERIES.min(length) * length;
        let (weights, scratch) = scratch.split_at_mut(room);
        let (slopes, scratch) = scratch.split_at_mut(room);
        for block in self.blocks(length) {
            let Block { head, first, queries, first_key, keys } = block;
            let size = queries * keys;
            let (weights, slopes) = (&mut weights[..size], &mut slopes[..size]);
            let q = self.part(projected, 0, head, first, queries);
            let k = self.part(projected, 1, head, first_key, keys);
            let v = self.part(projected, 2, head, first_key, keys);
            let row = self.heads * self.width;
            let at = first * row + head * self.width;
            let above = Matrix::spaced(&output_gradient[at..], queries, self.width, row);
            let start = self.begin(&block, weights);
            let to = Target::new(weights, queries, keys);
            multiply(kernels, q, k.transposed(), start, None, to, desk);
            self.add_relative(&block, weights);
            let to = Target::new(slopes, queries, keys);
            multiply(kernels, above, v.transposed(), Start::Zero, None, to, desk);
            let factors = &mut scratch[..if random.is_some() { size } else { 0 }];
            if let Some(random) = &mut random {
                self.fall(random, factors);
                kernels.run(Times { factors, to: slopes });
            }
            kernels.run(Slopes {
                keys,
                sight: self.sight(&block),
                scale: self.scale(),
                width: self.width,
                row,
                output: &output[at..],
                above: &output_gradient[at..],
                logarithms: &logarithms[head * length + first..][..queries],
                weights,
                slopes,
            });
            if random.is_some() {
                kernels.run(Times { factors, to: weights });
            }
            let mut add = |part: usize, first: usize, a: Matrix<'_>, b: Matrix<'_>, rows: usize| {
                let to = &mut gradient[first * 3 * row + part * row + head * self.width..];
                let to = Target::spaced(to, rows, self.width, 3 * row);
                // The first queries that look at all keys begin their sums.
                let begin = part == 0 || block.first == 0 && all;
                let start = if begin { Start::Zero } else { Start::Held };
                multiply(kernels, a, b, start, None, to, desk);
            };
            let (weights, slopes) =
                (Matrix::new(weights, queries, keys), Matrix::new(slopes, queries, keys));
            add(0, first, slopes, k, queries);
            add(1, first_key, slopes.transposed(), q, keys);
            add(2, first_key, weights.transposed(), above, keys);
        }
    }

    fn length(&self, projected: &[f32], output: &[f32], logarithms: &[f32]) -> usize {
        let row = self.heads * self.width;
        assert!(row > 0 && (0.0..1.0).contains(&self.dropout));
        assert!(self.relative.is_empty() || (self.relative.len() / self.heads) % 2 == 1);
        assert!(self.relative.len().is_multiple_of(self.heads));
        let length = output.len() / row;
        let lengths = (output.len(), projected.len(), logarithms.len());
        assert_eq!(lengths, (length * row, length * 3 * row, length * self.heads));
        let all = !self.causal && self.window.is_none();
        assert!(self.pairs.is_empty() || all && self.pairs.len() == self.heads * length * length);
        length
    }

    fn blocks(&self, length: usize) -> impl Iterator<Item = Block> {
        (0..self.heads).flat_map(move |head| self.blocks_of(head, length))
    }

    fn blocks_of(&self, head: usize, length: usize) -> impl Iterator<Item = Block> + use<> {
        let (causal, reach) = (self.causal, self.window.unwrap_or(length));
        (0..length).step_by(QUERIES).map(move |first| {
            let queries = (length - first).min(QUERIES);
            let end = if causal { 0 } else { reach } + first + queries;
            let first_key = first.saturating_sub(reach);
            Block { head, first, queries, first_key, keys: end.min(length) - first_key }
        })
    }

    fn sight(&self, block: &Block) -> Sight {
        let before = (block.first - block.first_key) as isize;
        Sight { before, keys: block.keys, causal: self.causal, window: self.window }
    }

    /// What scores begin with: B·√n of each pair, which is B when they are divided.
    fn begin(&self, block: &Block, scores: &mut [f32]) -> Start<'static> {
        if self.pairs.is_empty() {
            return Start::Zero;
        }
        let Block { head, first, keys, .. } = *block;
        scores.copy_from_slice(&self.pairs[(head * keys + first) * keys..][..scores.len()]);
        Start::Held
    }

    /// Adds B·√n by distance.
    fn add_relative(&self, block: &Block, scores: &mut [f32]) {
        if self.relative.is_empty() {
            return;
        }
        let count = self.relative.len() / self.heads;
        let table = &self.relative[block.head * count..][..count];
        let (furthest, by) = ((count / 2) as isize, (self.width as f32).sqrt());
        for (query, row) in scores.chunks_exact_mut(block.keys).enumerate() {
            // Of the first key.
            let distance = block.first_key as isize - (block.first + query) as isize;
            let near = (-furthest - distance).clamp(0, row.len() as isize) as usize;
            let far = (furthest + 1 - distance).clamp(0, row.len() as isize) as usize;
            row[..near].iter_mut().for_each(|score| *score += by * table[0]);
            row[far..].iter_mut().for_each(|score| *score += by * table[count - 1]);
            if near < far {
                let from = &table[(distance + near as isize + furthest) as usize..];
                row[near..far].iter_mut().zip(from).for_each(|(score, b)| *score += by * b);
            }
        }
    }

    fn scale(&self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }

    /// Queries (0), keys (1) or values (2) of a head.
    fn part<'a>(
        &self,
        projected: &'a [f32],
        part: usize,
        head: usize,
        first: usize,
        rows: usize,
    ) -> Matrix<'a> {
        let row = self.heads * self.width;
        let from = &projected[first * 3 * row + part * row + head * self.width..];
        Matrix::spaced(from, rows, self.width, 3 * row)
    }

    fn fall(&self, random: &mut Random, factors: &mut [f32]) {
        let kept = 1.0 / (1.0 - self.dropout);
        for factor in factors {
            *factor = if random.unit() < self.dropout { 0.0 } else { kept };
        }
    }
}
