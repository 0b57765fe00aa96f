use inlay_kernels::{GruBack, Kernels, LstmBack, gru, lstm};

/// What a recurrent layer does at a position with what the input and the hidden state give to its gates.
pub(in crate::layers) trait Cell: Send + Sync + 'static {
    /// How many gates: each is a part of `units` rows of the weights.
    const GATES: usize;
    /// Gates whose gradients are the same for what the input gives and what the hidden state gives.
    const SHARED: usize;

    /// A step forward of a sequence.
    fn step(kernels: Kernels, step: Step<'_>);

    /// A step backward.
    fn back(kernels: Kernels, back: Back<'_>);
}

/// Rows of one sequence at one step.
pub(in crate::layers) struct Step<'a> {
    /// What the input gives; become what the gates' functions give.
    pub gates: &'a mut [f32],
    /// What the hidden state gives.
    pub sums: &'a [f32],
    /// Becomes the next.
    pub hidden: &'a mut [f32],
    /// An LSTM's second state; becomes the next.
    pub cell: &'a mut [f32],
    /// What the way back needs besides, if there is one.
    pub aside: Option<&'a mut [f32]>,
}

/// Rows of one sequence at one step of the way back.
pub(in crate::layers) struct Back<'a> {
    /// What the step made of them; become gradients.
    pub gates: &'a mut [f32],
    /// What the step put there; the gradients of what the hidden state gives to gates that are not
    /// `SHARED`.
    pub aside: &'a mut [f32],
    /// The hidden state before the step.
    pub hidden: &'a [f32],
    /// Of what was given away.
    pub output_gradient: &'a [f32],
    /// Of the hidden state after the step; becomes that before it, without what the sums pass on.
    pub hidden_gradient: &'a mut [f32],
    /// Of an LSTM's second state after the step; becomes that before it.
    pub cell_gradient: &'a mut [f32],
    /// Become the gradients of what the hidden state gives.
    pub sums: &'a mut [f32],
}

/// i, f, g and o; `aside` is the second state before the step.
pub(in crate::layers) struct LstmCell;

impl Cell for LstmCell {
    const GATES: usize = 4;
    const SHARED: usize = 4;

    fn step(kernels: Kernels, step: Step<'_>) {
        let Step { gates, sums, hidden, cell, aside } = step;
        if let Some(aside) = aside {
            aside.copy_from_slice(cell);
        }
        lstm(kernels, gates, sums, cell, hidden);
    }

    fn back(kernels: Kernels, back: Back<'_>) {
        let Back { gates, aside, output_gradient, hidden_gradient, cell_gradient, sums, .. } = back;
        let cell = aside;
        LstmBack { gates, cell, output_gradient, hidden_gradient, cell_gradient, sums }
            .run(kernels);
    }
}

/// r, z and n; `aside` is what the hidden state gives to n, which r multiplies.
pub(in crate::layers) struct GruCell;

impl Cell for GruCell {
    const GATES: usize = 3;
    const SHARED: usize = 2;

    fn step(kernels: Kernels, step: Step<'_>) {
        let Step { gates, sums, hidden, aside, .. } = step;
        if let Some(aside) = aside {
            aside.copy_from_slice(&sums[2 * hidden.len()..]);
        }
        gru(kernels, gates, sums, hidden);
    }

    fn back(kernels: Kernels, back: Back<'_>) {
        let Back { gates, aside, hidden, output_gradient, hidden_gradient, sums, .. } = back;
        let candidate = aside;
        GruBack { gates, candidate, hidden, output_gradient, hidden_gradient, sums }.run(kernels);
    }
}
