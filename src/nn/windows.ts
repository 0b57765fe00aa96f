// Layers of windows over pictures and sequences: convolutions, pools, and items of another size.
import { type Options, flag, integer, oneOf } from '../options.js'
import { type Layer, type Named, type Required, extent, layer, name } from './layer.js'

const convolutionOptions = {
  name,
  /** Values of each position that comes out [out_channels]. */
  channels: integer(undefined, { from: 1 }, 'values of each position that comes out'),
  /** Positions of a window [kernel_size]. */
  kernel: extent(undefined, 1, 'positions of a window'),
  /** From one window to the next. */
  stride: extent(1, 1, 'from one window to the next'),
  /** Zeros at both ends of each axis. */
  padding: extent(0, 0, 'zeros at both ends of each axis'),
  /** From one position of a window to the next. */
  dilation: extent(1, 1, 'from one position of a window to the next'),
  /** Groups of channels, each of which sees its share of what comes in. */
  groups: integer(1, { from: 1 }, 'groups of channels'),
  /** Whether no window looks ahead along the first axis, the time of a sequence or a clip: each ends at the position that it
   * stands for, and of `padding` that axis has none (van den Oord et al. 2016, arXiv:1609.03499). With a stride s, 1 + k·s
   * positions become 1 + k, of which the first has seen one. */
  causal: flag(false, 'whether no window looks ahead along the first axis'),
  /** Whether a value is added to each channel. */
  bias: flag(true, 'whether a value is added to each channel'),
}

type ConvolutionOptions = Required<Options<typeof convolutionOptions>, 'channels' | 'kernel'>

/** A convolution along a sequence (of any length as well): [length, width] → [length', channels]. PyTorch's
 * `nn.Conv1d`, with channels last. */
export function conv1d(options: ConvolutionOptions): Layer {
  return layer('conv1d', convolutionOptions, options, ['channels', 'kernel'])
}

/** A convolution over a picture: [height, width, values] → [height', width', channels]. PyTorch's
 * `nn.Conv2d`, with channels last. */
export function conv2d(options: ConvolutionOptions): Layer {
  return layer('conv2d', convolutionOptions, options, ['channels', 'kernel'])
}

/** A convolution over pictures in a row: [time, height, width, values] → [time', height', width', channels].
 * PyTorch's `nn.Conv3d`, with channels last. */
export function conv3d(options: ConvolutionOptions): Layer {
  return layer('conv3d', convolutionOptions, options, ['channels', 'kernel'])
}

const transposedOptions = {
  ...convolutionOptions,
  /** Positions that are left out at both ends of each axis of what comes out. */
  padding: extent(0, 0, 'positions that are left out at both ends'),
  /** Whether each position is spread over itself and earlier ones along the first axis: the way back of a causal
   * convolution. With a stride s and a kernel of s, 1 + k positions become 1 + k·s, of which none depends on a later group. */
  causal: flag(false, 'whether no position is spread over later ones'),
  /** Positions that are added at the end of each axis of what comes out [output_padding]. */
  outputPadding: extent(0, 0, 'positions that are added at the end'),
}

type TransposedOptions = Required<Options<typeof transposedOptions>, 'channels' | 'kernel'>

/** The way back of `conv1d`: with a stride more comes out than comes in. PyTorch's `nn.ConvTranspose1d`. */
export function convTranspose1d(options: TransposedOptions): Layer {
  return layer('conv-transpose1d', transposedOptions, options, ['channels', 'kernel'])
}

/** The way back of `conv2d`. PyTorch's `nn.ConvTranspose2d`. */
export function convTranspose2d(options: TransposedOptions): Layer {
  return layer('conv-transpose2d', transposedOptions, options, ['channels', 'kernel'])
}

/** The way back of `conv3d`. PyTorch's `nn.ConvTranspose3d`. */
export function convTranspose3d(options: TransposedOptions): Layer {
  return layer('conv-transpose3d', transposedOptions, options, ['channels', 'kernel'])
}

const maxPoolOptions = {
  name,
  /** Positions of a window [kernel_size]. */
  kernel: extent(undefined, 1, 'positions of a window'),
  /** From one window to the next. Default: as much as a window has. */
  stride: extent(undefined, 1, 'from one window to the next'),
  /** Positions at both ends of each axis that are less than everything. */
  padding: extent(0, 0, 'positions at both ends of each axis'),
}

/** The largest value of each channel in each window. PyTorch's `nn.MaxPool1d`, `2d`, `3d`. */
export function maxPool(options: Required<Options<typeof maxPoolOptions>, 'kernel'>): Layer {
  return layer('max-pool', maxPoolOptions, options, ['kernel'])
}

const averagePoolOptions = {
  ...maxPoolOptions,
  /** Zeros at both ends of each axis. */
  padding: extent(0, 0, 'zeros at both ends of each axis'),
  /** Whether zeros at the ends count [count_include_pad]. */
  countPadding: flag(true, 'whether zeros at the ends count'),
}

/** The mean of each channel in each window. PyTorch's `nn.AvgPool1d`, `2d`, `3d`. */
export function averagePool(
  options: Required<Options<typeof averagePoolOptions>, 'kernel'>,
): Layer {
  return layer('average-pool', averagePoolOptions, options, ['kernel'])
}

const poolOptions = {
  name,
  /** What becomes of the values of a channel; 'mean-root' is their sum divided by the root of how many there are, and in a
   * 'rising-mean' the first counts 1, the next 2, and so on. */
  by: oneOf(
    ['mean', 'max', 'first', 'last', 'mean-root', 'rising-mean'],
    'what becomes of the values of a channel',
  ),
}

/** All positions of an item in one vector: [..., width] → [width]. An empty sequence gives zeros. */
export function pool(options: Options<typeof poolOptions> = {}): Layer {
  return layer('pool', poolOptions, options)
}

/** All positions of an item in one vector, each by a share that is learnt: softmax of its product with a
 * vector of weights. */
export function attentionPool(options: Named = {}): Layer {
  return layer('attention-pool', { name }, options)
}

const multiheadPoolOptions = {
  name,
  /** Parts of the values, each with weights of its own [num_heads]. */
  heads: integer(undefined, { from: 1 }, 'parts of the values with weights of their own'),
}

/** All positions of an item in one vector, as a probe sees them that is learnt and looks with several heads (Lee et al. 2019,
 * arXiv:1810.00825; Zhai et al. 2022, arXiv:2106.04560). PyTorch's `nn.MultiheadAttention` with `probe` as its query. */
export function multiheadPool(
  options: Required<Options<typeof multiheadPoolOptions>, 'heads'>,
): Layer {
  return layer('multihead-pool', multiheadPoolOptions, options, ['heads'])
}

const resizeOptions = {
  name,
  /** Positions that come out along each axis. */
  size: extent(undefined, 1, 'positions that come out'),
  /** By which neighbours a value is worked out along each axis: two, or four by a curve (Keys 1981) [mode: 'bilinear',
   * 'bicubic']. */
  by: oneOf(['linear', 'cubic'], 'by which neighbours a value is worked out'),
  /** Whether the first and the last position stay where they are, and not the edges of the item [align_corners]. */
  alignCorners: flag(false, 'whether the first and the last position stay where they are'),
}

/** Items of another size, of any number of axes: [height, width, c] → [height', width', c]. PyTorch's `F.interpolate`, without
 * antialiasing. */
export function resize(options: Required<Options<typeof resizeOptions>, 'size'>): Layer {
  return layer('resize', resizeOptions, options, ['size'])
}
