//! The layers, a file for each idea.

mod activation;
mod average_pool;
mod convolution;
mod convolution_transposed;
mod dense;
mod dropout;
mod embedding;
mod flatten;
mod max_pool;
mod pool;
mod recurrent;
mod softmax;
mod windows;

use serde::de::DeserializeOwned;
use serde_json::{Error, Value};

use crate::layer::Layer;

/// A layer of a kind with its options; `None` if there is no such kind.
pub(crate) fn read(kind: &str, options: Value) -> Option<Result<Box<dyn Layer>, Error>> {
    Some(match kind {
        "average-pool" => of::<average_pool::AveragePool>(options),
        "conv1d" => of::<convolution::Convolution<1>>(options),
        "conv2d" => of::<convolution::Convolution<2>>(options),
        "conv3d" => of::<convolution::Convolution<3>>(options),
        "conv-transpose1d" => of::<convolution_transposed::Transposed<1>>(options),
        "conv-transpose2d" => of::<convolution_transposed::Transposed<2>>(options),
        "conv-transpose3d" => of::<convolution_transposed::Transposed<3>>(options),
        "dense" => of::<dense::Dense>(options),
        "dropout" => of::<dropout::Dropout>(options),
        "embedding" => of::<embedding::Embedding>(options),
        "flatten" => of::<flatten::Flatten>(options),
        "gru" => of::<recurrent::Gru>(options),
        "lstm" => of::<recurrent::Lstm>(options),
        "max-pool" => of::<max_pool::MaxPool>(options),
        "pool" => of::<pool::Pool>(options),
        "softmax" => of::<softmax::Softmax>(options),
        _ => return activation::named(kind).map(|layer| none_left(options).map(|()| layer)),
    })
}

fn of<L: Layer + DeserializeOwned + 'static>(options: Value) -> Result<Box<dyn Layer>, Error> {
    Ok(Box::new(serde_json::from_value::<L>(options)?))
}

/// For layers without options.
fn none_left(options: Value) -> Result<(), Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct None {}
    serde_json::from_value::<None>(options).map(|_| ())
}
