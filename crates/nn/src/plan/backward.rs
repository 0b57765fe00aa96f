//! The way back through a plan: which gradient is made of which, and where it lies.

use super::{Back, Node, Plan, Work};

impl Plan {
    /// The steps backward, from the last node to the first.
    pub(super) fn go_back(&mut self, frozen: &[String]) {
        for node in &mut self.nodes {
            if let Work::Layer { name, layer, still, .. } = &mut node.work {
                *still = layer.scales() && frozen.contains(name);
            }
        }
        let learns = |work: &Work| match work {
            Work::Layer { name, parameters, .. } => parameters.1 > 0 && !frozen.contains(name),
            _ => false,
        };
        // A gradient is wanted if something before it learns.
        let mut wanted = vec![false; self.slots.len()];
        for node in &self.nodes {
            wanted[node.output] =
                learns(&node.work) || node.inputs.iter().any(|&input| wanted[input]);
        }
        let mut pool = Pool::default();
        self.output_gradient = pool.take();
        let mut of_slot: Vec<Vec<usize>> = vec![Vec::new(); self.slots.len()];
        of_slot[self.output].push(self.output_gradient);
        for at in (0..self.nodes.len()).rev() {
            let Node { work, inputs, output, .. } = &mut self.nodes[at];
            if !wanted[*output] {
                continue;
            }
            let mut gradients = std::mem::take(&mut of_slot[*output]);
            let Some(mut gradient) = gradients.pop() else { continue };
            // One that nobody keeps gets the sum of all.
            if pool.kept.contains(&gradient) && !gradients.is_empty() {
                let to = pool.take();
                self.backward.push(Back::Copy { from: gradient, to });
                gradient = to;
            }
            for from in gradients {
                self.backward.push(Back::Add { from, to: gradient });
                pool.give(from);
            }
            let learning = learns(work);
            match work {
                Work::Layer { layer, output_gradient, .. } => {
                    *output_gradient = gradient;
                    if learning {
                        pool.kept.push(gradient);
                    }
                    let input = inputs[0];
                    let same = layer.reshapes() || layer.in_place();
                    let to = match (wanted[input], same) {
                        (false, _) => None,
                        (true, true) => Some(gradient),
                        (true, false) => Some(pool.take()),
                    };
                    // What only sees rows otherwise sees gradients so as well.
                    if !layer.reshapes() && (to.is_some() || learning) {
                        self.backward.push(Back::Layer { node: at, from: gradient, to });
                    }
                    of_slot[input].extend(to);
                    if to != Some(gradient) {
                        pool.give(gradient);
                    }
                }
                Work::Sum { .. } => {
                    let mut first = true;
                    for &input in inputs.iter().filter(|&&input| wanted[input]) {
                        let mut to = gradient;
                        if !first {
                            to = pool.take();
                            self.backward.push(Back::Copy { from: gradient, to });
                        }
                        of_slot[input].push(to);
                        first = false;
                    }
                }
                Work::Concat => {
                    for (input, &slot) in inputs.iter().enumerate() {
                        if wanted[slot] {
                            let to = pool.take();
                            self.backward.push(Back::Part { from: gradient, to, node: at, input });
                            of_slot[slot].push(to);
                        }
                    }
                    pool.give(gradient);
                }
            }
        }
        self.gradients = pool.buffers;
    }
}

/// Buffers of gradients.
#[derive(Default)]
struct Pool {
    buffers: usize,
    free: Vec<usize>,
    kept: Vec<usize>,
}

impl Pool {
    fn take(&mut self) -> usize {
        self.free.pop().unwrap_or_else(|| {
            self.buffers += 1;
            self.buffers - 1
        })
    }

    fn give(&mut self, buffer: usize) {
        if !self.kept.contains(&buffer) && !self.free.contains(&buffer) {
            self.free.push(buffer);
        }
    }
}
