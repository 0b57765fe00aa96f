use inlay_kernels::{Activation, activate, activation_gradient};

use crate::layer::{Backward, Forward, Layer};
use crate::shape::Shape;

/// The layer that is an activation of this name.
pub(super) fn named(name: &str) -> Option<Box<dyn Layer>> {
    function_named(name).map(|function| Box::new(Each(function)) as Box<dyn Layer>)
}

/// The activation of this name.
pub(super) fn function_named(name: &str) -> Option<Activation> {
    Some(match name {
        "relu" => Activation::Relu,
        "tanh" => Activation::Tanh,
        "sigmoid" => Activation::Sigmoid,
        "silu" => Activation::Silu,
        "gelu" => Activation::Gelu,
        "gelu-tanh" => Activation::GeluTanh,
        "quick-gelu" => Activation::QuickGelu,
        _ => return None,
    })
}

/// A function of each value.
struct Each(Activation);

impl Layer for Each {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        Ok(input.clone())
    }

    fn activation(&self) -> Option<Activation> {
        Some(self.0)
    }

    fn takes_windows(&self) -> bool {
        true
    }

    fn in_place(&self) -> bool {
        !self.0.needs_input()
    }

    fn keeps_output(&self) -> bool {
        true
    }

    fn operations(&self, input: &Shape, rows: usize) -> u64 {
        (rows * input.width) as u64
    }

    fn forward(&self, pass: &mut Forward<'_>) {
        activate(pass.kernels, self.0, pass.output);
    }

    fn backward(&self, pass: &mut Backward<'_>) {
        let known = if self.0.needs_input() { pass.input } else { pass.output };
        let gradient = match &mut pass.input_gradient {
            Some(gradient) => {
                gradient.copy_from_slice(pass.output_gradient);
                &mut **gradient
            }
            None => &mut *pass.output_gradient,
        };
        activation_gradient(pass.kernels, self.0, known.values, gradient);
    }
}

/// In f64, for tests.
#[cfg(test)]
pub(super) fn formula(name: &str, x: f64) -> f64 {
    let sigma = 1.0 / (1.0 + (-x).exp());
    let scale = (2.0 / std::f64::consts::PI).sqrt();
    match name {
        "relu" => x.max(0.0),
        "tanh" => x.tanh(),
        "sigmoid" => sigma,
        "silu" => x * sigma,
        "gelu" => {
            // Φ by its series, which is quick for the small x of tests.
            let (mut term, mut sum) = (x, x);
            for n in 1..60 {
                term *= -x * x / (2.0 * f64::from(n));
                sum += term / f64::from(2 * n + 1);
            }
            x * (0.5 + sum / std::f64::consts::TAU.sqrt())
        }
        "quick-gelu" => x / (1.0 + (-1.702 * x).exp()),
        _ => 0.5 * x * (1.0 + (scale * (x + 0.044_715 * x * x * x)).tanh()),
    }
}
