use inlay_base::Result;
use inlay_kernels::{ChannelScale, Simd, narrow_pixels, widen_pixels};

use crate::{Bytes, Memory};

/// What is cut: bytes of pixels, which become numbers on a scale, or numbers as they are.
pub trait Element: Copy + Default + Send + Sync {
    /// What becomes of it.
    type Scale: Sync;
    /// Where many of it lie.
    type Room: Send;

    /// Room for so many, with whatever lies in it.
    ///
    /// # Errors
    /// `OutOfMemory`
    fn room(length: usize) -> Result<Self::Room>;

    /// All of a room.
    fn all(room: &mut Self::Room) -> &mut [Self];

    /// A run of elements, the first one of the first channel, as numbers. Both are as long.
    fn widen<S: Simd>(simd: S, scale: &Self::Scale, from: &[Self], to: &mut [f32]);

    /// The way back.
    fn narrow<S: Simd>(simd: S, scale: &Self::Scale, from: &[f32], to: &mut [Self]);
}

impl Element for u8 {
    type Scale = ChannelScale;
    type Room = Bytes;

    fn room(length: usize) -> Result<Bytes> {
        Bytes::new(length)
    }

    fn all(room: &mut Bytes) -> &mut [u8] {
        room.as_mut_slice()
    }

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
    type Room = Memory;

    fn room(length: usize) -> Result<Memory> {
        Memory::new(length, 1)
    }

    fn all(room: &mut Memory) -> &mut [f32] {
        room.as_mut_slice()
    }

    #[inline(always)]
    fn widen<S: Simd>(_simd: S, _scale: &(), from: &[f32], to: &mut [f32]) {
        to.copy_from_slice(from);
    }

    #[inline(always)]
    fn narrow<S: Simd>(_simd: S, _scale: &(), from: &[f32], to: &mut [f32]) {
        to.copy_from_slice(from);
    }
}
