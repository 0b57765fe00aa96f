//! Huffman codes of a vocabulary: frequent words get short ones (Morin, Bengio 2005; Mikolov et al.
//! 2013, section 2.1). A word's code is the path of its leaf: at each inner node left or right.

use crate::{Error, Result};

/// A binary tree over words; its inner nodes are numbered by falling count, the root 0.
pub struct Huffman {
    /// Where each word's path begins in `nodes`: one value more than words.
    offsets: Vec<u32>,
    /// The paths, root first: inner node · 2 + the branch taken there.
    steps: Vec<u32>,
    inner: usize,
}

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Branch {
    /// The inner node.
    pub node: u32,
    /// Which way the path goes on.
    pub right: bool,
}

impl Huffman {
    /// The tree for words that occur this often, in any order.
    pub fn new(counts: &[u64]) -> Result<Self> {
        let words = counts.len();
        let inner = words.saturating_sub(1);
        // Two queues of subtrees by rising count: leaves sorted once, inner nodes as they are made.
        let mut leaves: Vec<u32> = (0..words as u32).collect();
        leaves.sort_by_key(|&leaf| std::cmp::Reverse(counts[leaf as usize]));
        let mut made: Vec<u64> = Vec::with_capacity(inner);
        let mut parent = vec![0u32; words + inner];
        let mut next_made = 0;
        for node in 0..inner {
            let mut sum = 0u64;
            for right in [0, 1] {
                let leaf = leaves.last().map(|&leaf| counts[leaf as usize]);
                let take_leaf = match (leaf, made.get(next_made)) {
                    (Some(leaf), Some(&subtree)) => leaf < subtree,
                    (leaf, _) => leaf.is_some(),
                };
                let (child, count) = match leaves.last() {
                    Some(&leaf) if take_leaf => {
                        leaves.pop();
                        (leaf as usize, counts[leaf as usize])
                    }
                    _ => {
                        next_made += 1;
                        (words + next_made - 1, made[next_made - 1])
                    }
                };
                parent[child] = (node as u32) << 1 | right;
                sum = sum.saturating_add(count);
            }
            made.push(sum);
        }
        let (mut offsets, mut steps) = (Vec::with_capacity(words + 1), Vec::new());
        offsets.push(0);
        for word in 0..words {
            let start = steps.len();
            let mut child = word;
            while inner > 0 && child != words + inner - 1 {
                let (made, right) = (parent[child] >> 1, parent[child] & 1);
                // The last one made is the root.
                steps.push((inner as u32 - 1 - made) << 1 | right);
                child = words + made as usize;
            }
            steps[start..].reverse();
            let end = u32::try_from(steps.len()).map_err(|_| Error::Unsupported {
                what: format!("a Huffman tree over {words} words is too large"),
            })?;
            offsets.push(end);
        }
        Ok(Self { offsets, steps, inner })
    }

    /// The number of inner nodes: one less than words.
    pub fn inner(&self) -> usize {
        self.inner
    }

    /// The path to a word, root first.
    #[inline(always)]
    pub fn path(&self, word: u32) -> impl ExactSizeIterator<Item = Branch> + '_ {
        let (start, end) = (self.offsets[word as usize], self.offsets[word as usize + 1]);
        self.steps[start as usize..end as usize]
            .iter()
            .map(|&step| Branch { node: step >> 1, right: step & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_as_short_as_the_counts_allow() {
        let huffman = Huffman::new(&[45, 13, 12, 16, 9, 5]).unwrap();
        let lengths: Vec<_> = (0..6).map(|word| huffman.path(word).len()).collect();
        // Cormen et al., "Introduction to Algorithms", section 16.3.
        assert_eq!(lengths, [1, 3, 3, 3, 4, 4]);
    }

    #[test]
    fn no_code_begins_another_and_the_paths_are_a_tree() {
        let counts: Vec<u64> = (1..200).map(|i| 100_000 / i).collect();
        let huffman = Huffman::new(&counts).unwrap();
        let codes: Vec<Vec<Branch>> = (0..199).map(|word| huffman.path(word).collect()).collect();
        for (a, code) in codes.iter().enumerate() {
            assert_eq!(code[0].node, 0, "every path begins at the root");
            for (b, other) in codes.iter().enumerate() {
                assert!(a == b || !other.starts_with(code));
            }
        }
        let cost = |length: &dyn Fn(usize) -> f64| -> f64 {
            counts.iter().enumerate().map(|(i, &count)| count as f64 * length(i)).sum()
        };
        let total: f64 = counts.iter().map(|&count| count as f64).sum();
        let entropy = cost(&|i| (total / counts[i] as f64).log2());
        let mean = cost(&|i| codes[i].len() as f64);
        assert!(mean >= entropy && mean <= entropy + total, "within one bit of the entropy");
    }

    #[test]
    fn small_vocabularies() {
        assert_eq!(Huffman::new(&[]).unwrap().inner(), 0);
        assert_eq!(Huffman::new(&[7]).unwrap().path(0).len(), 0);
        let two = Huffman::new(&[7, 3]).unwrap();
        let steps: Vec<_> = (0..2).map(|word| two.path(word).collect::<Vec<_>>()).collect();
        assert_eq!(steps[0][0].node, 0);
        assert_ne!(steps[0][0].right, steps[1][0].right);
    }
}
