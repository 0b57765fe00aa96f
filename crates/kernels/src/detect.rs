use std::sync::OnceLock;

#[cfg(target_arch = "aarch64")]
use crate::neon::Neon;
use crate::{Scalar, Simd};
#[cfg(target_arch = "x86_64")]
use crate::{avx2::Avx2, avx512::Avx512};

/// A hot loop to be compiled once for every instruction set. `run` must be `#[inline(always)]`,
/// and so must all that it calls with `simd`: then one choice of set covers the whole loop.
pub trait Task {
    /// What the loop gives back.
    type Output;
    /// The loop.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// The instruction set that was chosen.
#[derive(Clone, Copy)]
pub struct Kernels(Set);

#[derive(Clone, Copy)]
enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    Scalar(Scalar),
}

impl Kernels {
    /// The best set of this machine, or the one that the environment variable `INLAY_SIMD` names
    /// (`avx512`, `avx2`, `neon`, `scalar`); chosen at the first call.
    ///
    /// # Panics
    /// If `INLAY_SIMD` names a set that this machine lacks.
    pub fn get() -> Self {
        static CHOICE: OnceLock<Kernels> = OnceLock::new();
        *CHOICE.get_or_init(|| {
            let available = Self::available();
            match std::env::var("INLAY_SIMD") {
                Ok(name) if !name.is_empty() => {
                    let wanted = available.iter().find(|set| set.name() == name);
                    let names: Vec<_> = available.iter().map(|set| set.name()).collect();
                    *wanted.unwrap_or_else(|| {
                        panic!("INLAY_SIMD={name}: this machine has {}", names.join(", "))
                    })
                }
                _ => available[0],
            }
        })
    }

    /// The sets that this machine has, best first; the scalar one is always there.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            sets.extend(Avx512::detect().map(|set| Self(Set::Avx512(set))));
            sets.extend(Avx2::detect().map(|set| Self(Set::Avx2(set))));
        }
        #[cfg(target_arch = "aarch64")]
        sets.push(Self(Set::Neon(Neon)));
        sets.push(Self(Set::Scalar(Scalar)));
        sets
    }

    /// The name that `INLAY_SIMD` understands.
    pub fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2(_) => "avx2",
            #[cfg(target_arch = "aarch64")]
            Set::Neon(_) => "neon",
            Set::Scalar(_) => "scalar",
        }
    }

    /// Runs a loop compiled for this set. Enter once for a shard of work, never for one vector.
    #[inline]
    pub fn run<T: Task>(self, task: T) -> T::Output {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the value proves that the machine has the features.
            Set::Avx512(simd) => unsafe { compiled_for_avx512(simd, task) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the value proves that the machine has the features.
            Set::Avx2(simd) => unsafe { compiled_for_avx2(simd, task) },
            #[cfg(target_arch = "aarch64")]
            Set::Neon(simd) => task.run(simd),
            Set::Scalar(simd) => task.run(simd),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn compiled_for_avx512<T: Task>(simd: Avx512, task: T) -> T::Output {
    task.run(simd)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn compiled_for_avx2<T: Task>(simd: Avx2, task: T) -> T::Output {
    task.run(simd)
}
