//! Vector kernels: each is written once over `Simd` and compiled for every instruction set; the
//! set is chosen once, at run time, and entered once for a shard of work.
//!
//! `scalar.rs` is the definition; `avx2.rs`, `avx512.rs` and `neon.rs` say the same in the same
//! order. Everything between `Kernels::run` and an instruction is `#[inline(always)]`: one function
//! that is not, and each instruction below it becomes a call.

mod activation;
mod adagrad;
mod aligned;
mod attention;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bytes;
mod columns;
mod convolution;
mod detect;
mod draw;
mod fetch;
mod filter;
mod gates;
mod gather;
#[cfg(target_arch = "x86_64")]
mod halves;
mod keys;
mod logarithm;
mod logistic;
mod math;
#[cfg(target_arch = "aarch64")]
mod neon;
mod norm;
mod pixels;
mod pooling;
mod product;
mod rotary;
mod rows;
mod running;
mod scalar;
mod search;
mod simd;
mod softmax;
mod sparse;
mod values;

pub use activation::{Activation, activate, activation_gradient};
pub use adagrad::{Layout, Pair, descend, weights};
pub use aligned::Aligned;
pub use attention::{Attention, MapWindows, Within};
pub use bytes::{ByteMatrix, multiply_bytes};
pub use columns::{column_gradient, column_moments, column_slopes, scale_columns};
pub use convolution::{
    NOWHERE, Plane, Windows, Winograd, convolve, convolve_channels, convolve_channels_gradient,
    convolve_gradient, convolve_winograd,
};
pub use detect::{Kernels, Task};
pub use draw::{
    DRAW_WIDTH, List, Tree, add_at, draw_dense, draw_sparse, find, share_word, share_word_at,
    weigh_word, weigh_word_at,
};
pub use fetch::fetch;
pub use filter::dots;
pub use gates::{GruBack, LstmBack, gru, lstm};
pub use gather::{gather, scatter};
pub use keys::same;
pub use logarithm::{log_sigmoid, logarithms};
pub use logistic::{
    Ahead, Learner, Output, Step, exchange, exchange_in_turn, exchange_pairs, fit, fit_abreast,
    learn,
};
pub use math::{exp, ln};
pub(crate) use math::{exp_of_share, normal};
pub use norm::Norm;
pub use pixels::{ChannelScale, narrow_pixels, widen_pixels};
pub use pooling::{
    average_pool, average_pool_gradient, max_pool, max_pool_gradient, pool_max, pool_mean,
    pool_mean_gradient, pool_rising_mean, pool_rising_mean_gradient,
};
pub use product::{Desk, Matrix, Packed, Second, Start, Target, multiply};
pub use rotary::rotate;
pub use rows::{
    add_to_row, add_to_rows, axpy, dot, gain, join_rows, lay_row, lay_values, mean_of_rows,
    prefetch, prefetch_to_write, weigh_rows,
};
pub use running::{Between, Whole, run_on, slide};
pub use scalar::Scalar;
pub use search::{Scores, Stored};
pub use simd::Simd;
pub use softmax::{SCORES_BESIDE, learn_softmax};
pub use sparse::{Sparse, add_products, sampled_products};
pub use values::{AdamStep, adam, add, add_both, add_up, softmax, softmax_times, square_sum};
