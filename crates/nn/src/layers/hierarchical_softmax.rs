//! Classes as the leaves of a binary tree, at each inner node n of which a score says which way to go (Morin and Bengio
//! 2005; Mikolov et al. 2013, section 2.1):
//!
//! ```text
//! ln P(c | x) = Σ ln σ(±(w_n·x + b_n))      over the nodes on the way to c, + where it goes left
//! ```
//!
//! The tree is Huffman's, so that the ways to frequent classes are short.

mod paths;

use std::sync::{Arc, OnceLock};

use inlay_base::{Branch, Huffman};
use inlay_kernels::{Activation, activate, log_sigmoid};
use serde::Deserialize;

use self::paths::Paths;
use super::dense::{Dense, linear};
use super::linear::{learn_bias, learn_weight};
use crate::layer::{Backward, Forward, Layer, Lesson};
use crate::losses::Loss;
use crate::parameter::Blueprint;
use crate::shape::Shape;

/// Gives the logarithm of the probability of each class.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HierarchicalSoftmax {
    /// How often each class occurs, at least once.
    counts: Vec<u64>,
    #[serde(default = "super::yes")]
    bias: bool,
    #[serde(skip)]
    tree: OnceLock<Arc<Tree>>,
}

/// The tree, from above and from below.
struct Tree {
    huffman: Huffman,
    /// What is left and right of each inner node.
    children: Vec<[Child; 2]>,
}

#[derive(Clone, Copy)]
enum Child {
    Node(usize),
    Class(usize),
}

impl Tree {
    fn new(counts: &[u64]) -> Result<Self, String> {
        // Many that never occur would be under each other, and not side by side.
        let counts: Vec<u64> = counts.iter().map(|&count| count.max(1)).collect();
        let huffman = Huffman::new(&counts).map_err(|error| error.to_string())?;
        let mut children = vec![[Child::Class(0); 2]; huffman.inner()];
        for class in 0..counts.len() {
            let below = huffman.path(class as u32).skip(1).map(|branch| branch.node as usize);
            let below = below.map(Child::Node).chain([Child::Class(class)]);
            for (Branch { node, right }, child) in huffman.path(class as u32).zip(below) {
                children[node as usize][usize::from(right)] = child;
            }
        }
        Ok(Self { huffman, children })
    }
}

impl HierarchicalSoftmax {
    fn tree(&self) -> &Arc<Tree> {
        let new = || Arc::new(Tree::new(&self.counts).expect("a tree that `shape` has tried"));
        self.tree.get_or_init(new)
    }

    /// What gives the score of each node.
    fn dense(&self) -> Dense {
        Dense::new(self.nodes(), self.bias)
    }

    fn nodes(&self) -> usize {
        self.counts.len().saturating_sub(1)
    }
}

impl Layer for HierarchicalSoftmax {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        if self.counts.len() < 2 {
            return Err("needs `counts` of two classes or more".into());
        }
        if self.tree.get().is_none() {
            _ = self.tree.set(Arc::new(Tree::new(&self.counts)?));
        }
        Ok(input.with_width(self.counts.len()))
    }

    fn parameters(&self, input: &Shape) -> Vec<Blueprint> {
        self.dense().parameters(input)
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        self.dense().operations(input, rows)
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn taken_by(&self, loss: &Loss) -> Option<Box<dyn Layer>> {
        // What is wanted beside a row's own class has other ways.
        let alone = matches!(loss, Loss::CrossEntropy { weights: None, smoothing: 0.0 });
        let whole =
            || Self { counts: self.counts.clone(), bias: self.bias, tree: self.tree.clone() };
        alone.then(|| Box::new(Paths::new(whole())) as Box<dyn Layer>)
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        let (rows, nodes, tree) = (pass.input.rows(), self.nodes(), self.tree());
        let [scores, logarithms, above] = pass.memo.lists([rows * nodes, nodes, nodes]);
        let linear = linear(pass.kernels, pass.parameters, rows);
        linear.forward(pass.input.values, scores, None, pass.desk);
        let outputs = pass.output.chunks_exact_mut(self.counts.len());
        for (scores, output) in scores.chunks_exact(nodes).zip(outputs) {
            logarithms.copy_from_slice(scores);
            log_sigmoid(pass.kernels, logarithms);
            above[0] = 0.0;
            // A node comes before those below it.
            for (node, children) in tree.children.iter().enumerate() {
                let left = above[node] + logarithms[node];
                // σ(-x) = σ(x)·e⁻ˣ
                for (child, value) in children.iter().zip([left, left - scores[node]]) {
                    match *child {
                        Child::Node(below) => above[below] = value,
                        Child::Class(class) => output[class] = value,
                    }
                }
            }
        }
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let (rows, nodes, tree) = (pass.input.rows(), self.nodes(), self.tree());
        let [slopes, shares, sums] = pass.memo.lists([rows * nodes, nodes, nodes]);
        let gradients = pass.output_gradient.chunks_exact(self.counts.len());
        for (slopes, gradient) in slopes.chunks_exact_mut(nodes).zip(gradients) {
            shares.copy_from_slice(slopes);
            activate(pass.kernels, Activation::Sigmoid, shares);
            for (node, children) in tree.children.iter().enumerate().rev() {
                let [left, right] = children.map(|child| match child {
                    Child::Node(below) => sums[below],
                    Child::Class(class) => gradient[class],
                });
                sums[node] = left + right;
                slopes[node] = left - shares[node] * sums[node];
            }
        }
        let Some(to) = &mut pass.input_gradient else { return };
        linear(pass.kernels, pass.parameters, rows).backward(slopes, to, pass.desk);
    }

    fn learn(&self, lesson: &mut Lesson<'_>) {
        while let Some(known) = lesson.shards.next() {
            let (rows, width) = (known.input.rows(), known.input.width());
            let slopes = &known.memo.values[0];
            match lesson.parameter {
                0 => learn_weight(lesson, known.input.values, slopes, (rows, width, self.nodes())),
                _ => learn_bias(lesson, slopes, rows, self.nodes()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::{Case, Items, check, check_together};
    use crate::data::IGNORED;

    const WIDTH: usize = 5;
    const LENGTHS: [usize; 4] = [3, 0, 7, 1];

    fn counts(classes: usize) -> Vec<u64> {
        (0..classes as u64).map(|class| 1000 / (1 + class * 7 % classes as u64)).collect()
    }

    /// The logarithm of the probability of a class for a row, by the way to it.
    fn logarithm(x: &[f64], class: u32, parameters: &[Vec<f64>], huffman: &Huffman) -> f64 {
        let step = |Branch { node, right }| {
            let node = node as usize;
            let products = x.iter().zip(&parameters[0][node * WIDTH..][..WIDTH]);
            let score = products.map(|(x, w)| x * w).sum::<f64>()
                + parameters.get(1).map_or(0.0, |bias| bias[node]);
            -(if right { score } else { -score }).exp().ln_1p()
        };
        huffman.path(class).map(step).sum()
    }

    /// Of all classes.
    fn logarithms(items: &Items, parameters: &[Vec<f64>], huffman: &Huffman) -> Vec<f64> {
        let rows = items.values.chunks(WIDTH);
        let classes = 0..huffman.inner() as u32 + 1;
        rows.flat_map(|x| classes.clone().map(|class| logarithm(x, class, parameters, huffman)))
            .collect()
    }

    fn case(counts: &[u64], bias: bool) -> Case {
        let layers = json!([{"kind": "hierarchical-softmax", "counts": counts, "bias": bias}]);
        Case { layers, positions: None, width: WIDTH, lengths: LENGTHS.to_vec() }
    }

    #[test]
    fn probabilities_are_products_along_the_way_and_every_gradient_is_right() {
        for (classes, bias) in [(2, true), (3, false), (40, true)] {
            let counts = counts(classes);
            let huffman = Tree::new(&counts).unwrap().huffman;
            check(&case(&counts, bias), |items, parameters| {
                let found = logarithms(items, parameters, &huffman);
                for row in found.chunks(classes) {
                    let sum: f64 = row.iter().map(|logarithm| logarithm.exp()).sum();
                    assert!((sum - 1.0).abs() < 1e-12);
                }
                found
            });
        }
    }

    #[test]
    fn learning_looks_at_the_ways_to_what_is_wanted_only() {
        for (classes, bias) in [(2, true), (3, false), (40, true), (30_000, true)] {
            let counts = counts(classes);
            let mut wanted: Vec<u32> =
                (0..11).map(|row| (row * row * 31 % classes) as u32).collect();
            wanted[4] = IGNORED;
            let loss = Loss::CrossEntropy { weights: None, smoothing: 0.0 };
            let huffman = Tree::new(&counts).unwrap().huffman;
            check_together(&case(&counts, bias), &loss, &wanted, |items, parameters| {
                if !items.training {
                    return (logarithms(items, parameters, &huffman), 0.0);
                }
                let of_row = |(x, &class): (&[f64], &u32)| match class {
                    IGNORED => 0.0,
                    class => -logarithm(x, class, parameters, &huffman),
                };
                (Vec::new(), items.values.chunks(WIDTH).zip(&wanted).map(of_row).sum())
            });
        }
    }

    #[test]
    fn no_way_is_long_however_many_classes_never_occur() {
        let huffman = Tree::new(&vec![0; 1000]).unwrap().huffman;
        assert!((0..1000).all(|class| huffman.path(class).len() <= 10));
    }

    #[test]
    fn one_class_is_refused() {
        let description = |counts: &[u64]| {
            let layers = json!([{"kind": "hierarchical-softmax", "counts": counts}]);
            json!({"inputs": [{"content": "values", "positions": [], "width": 3}], "layers": layers})
        };
        for counts in [&[][..], &[7]] {
            let error = crate::Network::new(&description(counts).to_string(), 1).err().unwrap();
            assert!(error.to_string().contains("two classes or more"), "{error}");
        }
    }
}
