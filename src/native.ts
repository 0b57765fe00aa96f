// The only door to the binary: everything else imports the native functions from here.
export {
  TextStream,
  configure,
  openCorpus,
  probePanic,
  probeQueryPanic,
  readCorpusFiles,
  readCorpusStream,
  saveCorpus,
  simd,
  type CorpusHandle,
  type Events,
  type Failure,
  type NamesHandle,
  type ProgressEvent,
  type RunHandle,
  type RunSpec,
} from '../native/index.js'
