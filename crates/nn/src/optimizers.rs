use inlay_kernels::{AdamStep, Kernels, adam};
use serde::{Deserialize, Serialize};

/// How a parameter follows its gradient.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimizer {
    /// θ -= rate·v with v = momentum·v + g, as PyTorch has it.
    Sgd {
        /// Of v; 0 keeps none.
        momentum: f32,
        /// This share of θ is added to g.
        decay: f32,
        /// Whether a step looks ahead: θ -= rate·(g + momentum·v) (Nesterov).
        nesterov: bool,
    },
    /// Kingma and Ba 2015, arXiv:1412.6980.
    Adam {
        /// β₁ and β₂.
        betas: [f32; 2],
        /// ε
        epsilon: f32,
        /// This share of θ is added to g.
        decay: f32,
    },
    /// Loshchilov and Hutter 2019, arXiv:1711.05101: θ shrinks by rate·decay beside Adam's step.
    Adamw {
        /// β₁ and β₂.
        betas: [f32; 2],
        /// ε
        epsilon: f32,
        /// The share by which θ shrinks at a rate of 1.
        decay: f32,
    },
}

/// What is kept beside a piece of a parameter from step to step.
#[derive(Default)]
pub struct State {
    /// Mean gradient, or v.
    pub first: Vec<f32>,
    /// Mean square.
    pub second: Vec<f32>,
}

/// The circumstances of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Learning rate.
    pub rate: f32,
    /// Counted from 1.
    pub number: u64,
    /// By which gradients are multiplied first.
    pub clip: f32,
}

impl Optimizer {
    /// Numbers to keep for each of a parameter's.
    pub fn kept(&self) -> usize {
        match self {
            Self::Sgd { momentum, .. } if *momentum == 0.0 => 0,
            Self::Sgd { .. } => 1,
            Self::Adam { .. } | Self::Adamw { .. } => 2,
        }
    }

    /// Whether a value without a gradient stays as it is, and what others do depends on nothing but theirs.
    pub fn leaves_alone(&self, decays: bool) -> bool {
        matches!(*self, Self::Sgd { momentum, decay, .. } if momentum == 0.0 && !(decays && decay > 0.0))
    }

    /// Moves values by their gradient; `decays` says whether weight decay draws on them.
    pub fn follow(
        &self,
        kernels: Kernels,
        step: Step,
        decays: bool,
        values: &mut [f32],
        gradient: &[f32],
        state: &mut State,
    ) {
        let drawn = |decay: f32| if decays { decay } else { 0.0 };
        if self.kept() > 0 {
            state.first.resize(values.len(), 0.0);
        }
        match *self {
            Self::Sgd { momentum, decay, nesterov } => {
                let decay = drawn(decay);
                for (i, (value, &gradient)) in values.iter_mut().zip(gradient).enumerate() {
                    let mut gradient = gradient * step.clip + decay * *value;
                    if momentum > 0.0 {
                        // The first step has no v to go on from.
                        let v = &mut state.first[i];
                        *v = momentum * *v + gradient;
                        gradient = if nesterov { gradient + momentum * *v } else { *v };
                    }
                    *value -= step.rate * gradient;
                }
            }
            Self::Adam { betas, epsilon, decay } | Self::Adamw { betas, epsilon, decay } => {
                state.second.resize(values.len(), 0.0);
                let beside = matches!(self, Self::Adamw { .. });
                let unbiased = |beta: f32| 1.0 - f64::from(beta).powf(step.number as f64);
                let form = AdamStep {
                    rate: (f64::from(step.rate) / unbiased(betas[0])) as f32,
                    first: betas[0],
                    second: betas[1],
                    correction: (1.0 / unbiased(betas[1]).sqrt()) as f32,
                    epsilon,
                    decay: if beside { 0.0 } else { drawn(decay) },
                    keep: if beside { 1.0 - step.rate * drawn(decay) } else { 1.0 },
                    clip: step.clip,
                };
                adam(kernels, form, values, gradient, &mut state.first, &mut state.second);
            }
        }
    }
}
