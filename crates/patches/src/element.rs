use inlay_kernels::{ChannelScale, Simd, narrow_pixels, widen_pixels};

/// What is cut: bytes of pixels, which become numbers on a scale, or numbers as they are.
pub trait Element: Copy + Default + Send + Sync {
    /// What becomes of it.
    type Scale: Sync;

    /// A run of elements, the first one of the first channel, as numbers. Both are as long.
    fn widen<S: Simd>(simd: S, scale: &Self::Scale, from: &[Self], to: &mut [f32]);

    /// The way back.
    fn narrow<S: Simd>(simd: S, scale: &Self::Scale, from: &[f32], to: &mut [Self]);
}

impl Element for u8 {
    type Scale = ChannelScale;

    #[inline(always)]
    fn widen<S: Simd>(simd: S, scale: &ChannelScale, from: &[u8], to: &mut [f32]) {
        widen_pixels(simd, scale, from, to);
    }

    #[inline(always)]
    fn narrow<S: Simd>(simd: S, scale: &ChannelScale, from: &[f32], to: &mut [u8]) {
        narrow_pixels(simd, scale, from, to);
    }
}

impl Element for f32 {
    type Scale = ();

    #[inline(always)]
    fn widen<S: Simd>(_simd: S, _scale: &(), from: &[f32], to: &mut [f32]) {
        to.copy_from_slice(from);
    }

    #[inline(always)]
    fn narrow<S: Simd>(_simd: S, _scale: &(), from: &[f32], to: &mut [f32]) {
        to.copy_from_slice(from);
    }
}
