//! The layers, a file for each idea.

mod activation;
mod attention;
mod attention_pool;
mod attentional_fusion;
mod average_pool;
mod axial_positions;
mod batch_norm;
mod convolution;
mod convolution_transposed;
mod dense;
mod dropout;
mod embedding;
mod flatten;
mod gated;
mod hierarchical_softmax;
mod layer_scale;
mod linear;
pub(crate) mod masked;
mod max_pool;
mod multihead_pool;
mod noise;
mod norm;
mod normalize;
mod pad_channels;
mod permute;
mod pixel_shuffle;
mod pool;
mod pooling;
mod positions;
mod prefix_tokens;
mod recurrent;
mod relative;
mod reshape;
mod resize;
mod rotary;
mod sampled;
mod shift;
mod slice;
mod softmax;
#[cfg(test)]
mod transformer;
mod variational;
mod windows;
mod windows_of_map;

use serde::de::DeserializeOwned;
use serde_json::{Error, Value};

use crate::layer::Layer;

/// A layer of a kind with its options; `None` if there is no such kind.
pub(crate) fn read(kind: &str, options: Value) -> Option<Result<Box<dyn Layer>, Error>> {
    Some(match kind {
        "attention-pool" => of::<attention_pool::AttentionPool>(options),
        "axial-positions" => of::<axial_positions::AxialPositions>(options),
        "attentional-fusion" => of::<attentional_fusion::AttentionalFusion>(options),
        "average-pool" => of::<average_pool::AveragePool>(options),
        "batch-norm" => of::<batch_norm::BatchNorm>(options),
        "conv-transpose1d" => of::<convolution_transposed::Transposed<1>>(options),
        "conv-transpose2d" => of::<convolution_transposed::Transposed<2>>(options),
        "conv-transpose3d" => of::<convolution_transposed::Transposed<3>>(options),
        "conv1d" => of::<convolution::Convolution<1>>(options),
        "conv2d" => of::<convolution::Convolution<2>>(options),
        "conv3d" => of::<convolution::Convolution<3>>(options),
        "dense" => of::<dense::Dense>(options),
        "dropout" => of::<dropout::Dropout>(options),
        "embedding" => of::<embedding::Embedding>(options),
        "flatten" => of::<flatten::Flatten>(options),
        "gated" => of::<gated::Gated>(options),
        "gru" => of::<recurrent::Gru>(options),
        "hierarchical-softmax" => of::<hierarchical_softmax::HierarchicalSoftmax>(options),
        "hide" => of::<masked::Hide>(options),
        "layer-norm" => of::<norm::LayerNorm>(options),
        "layer-scale" => of::<layer_scale::LayerScale>(options),
        "lstm" => of::<recurrent::Lstm>(options),
        "max-pool" => of::<max_pool::MaxPool>(options),
        "multihead-pool" => of::<multihead_pool::MultiheadPool>(options),
        "noise" => of::<noise::Noise>(options),
        "normalize" => of::<normalize::Normalize>(options),
        "pad-channels" => of::<pad_channels::PadChannels>(options),
        "permute" => of::<permute::Permute>(options),
        "pixel-shuffle" => of::<pixel_shuffle::PixelShuffle<true>>(options),
        "pixel-unshuffle" => of::<pixel_shuffle::PixelShuffle<false>>(options),
        "pool" => of::<pool::Pool>(options),
        "positions" => of::<positions::PositionCodes>(options),
        "prefix-tokens" => of::<prefix_tokens::PrefixTokens>(options),
        "reshape" => of::<reshape::Reshape>(options),
        "resize" => of::<resize::Resize>(options),
        "rms-norm" => of::<norm::RmsNorm>(options),
        "variational" => of::<variational::Variational>(options),
        "self-attention" => of::<attention::SelfAttention>(options),
        "shift" => of::<shift::Shift>(options),
        "slice" => of::<slice::Slice>(options),
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

/// What options are that were not given.
fn yes() -> bool {
    true
}

fn one() -> usize {
    1
}
