//! A training with nothing but a loss, an optimizer and a rate that stays; a test says what else it wants.

use inlay_nn::{Curve, Loss, Optimizer, Schedule, Training};

pub fn training(loss: Loss, optimizer: Optimizer, rate: f64) -> Training {
    Training {
        loss,
        optimizer,
        schedule: Schedule { rate, warmup: 0, shape: Curve::Constant },
        epochs: 10,
        batch: 1000,
        accumulate: 1,
        clip: None,
        shuffle: false,
        frozen: Vec::new(),
        patience: None,
        truncate: None,
        steps: None,
        checkpoint: None,
    }
}
