// inlay sounds: sounds as vectors by a pretrained network.
import { loadSoundEncoder } from '../encoders/load-sound-encoder.js'
import { soundEncodingOptions } from '../encoders/sound-encoder.js'
import type { Command } from './command.js'
import { encodeFiles } from './encode-files.js'

const encode = encodeFiles(
  {
    name: 'sounds encode',
    summary: 'makes vectors of sounds by a pretrained network',
    usage: 'MODEL SOUND... [flags]',
    operands: {
      MODEL: 'a folder of Hugging Face (CLAP)',
      SOUND: 'WAV, AIFF, FLAC, MP3, Ogg Vorbis, AAC or ALAC',
    },
    examples: [
      'clap-htsat-unfused dog.wav rain.mp3 -o vectors.npy',
      'clap-htsat-unfused sounds/*.flac -o sounds.safetensors',
    ],
  },
  'sounds',
  soundEncodingOptions,
  loadSoundEncoder,
)

export const soundsCommands: readonly Command[] = [encode]
