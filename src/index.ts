export { InlayError } from './errors.js'
