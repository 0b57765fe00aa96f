// The only door to the binary: everything else imports the native functions from here.
export {
  configure,
  probePanic,
  probeQueryPanic,
  simd,
  type Events,
  type Failure,
  type ProgressEvent,
  type RunHandle,
  type RunSpec,
} from '../native/index.js'
