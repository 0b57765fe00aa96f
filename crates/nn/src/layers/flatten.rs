use serde::Deserialize;

use crate::layer::{Backward, Forward, Layer};
use crate::shape::{Positions, Shape};

/// All positions of an item in one row: [4, 100] as [400].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flatten {}

impl Layer for Flatten {
    fn shape(&self, input: &Shape) -> Result<Shape, String> {
        input.values()?;
        match &input.positions {
            Positions::Fixed(axes) => {
                Ok(Shape::vector(axes.iter().product::<usize>() * input.width))
            }
            Positions::Any => Err("expects items of one length: pool them first".into()),
        }
    }

    fn reshapes(&self) -> bool {
        true
    }

    fn forward(&self, _pass: &mut Forward<'_>) {}

    fn backward(&self, _pass: &mut Backward<'_>) {}
}
