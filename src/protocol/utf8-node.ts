import { Buffer, isAscii } from 'node:buffer'
import { decodeUtf8, type Utf8Decoder } from './frame.js'

/** The {@link Utf8Decoder} for Node: most frames are ASCII, whose bytes are copied without a decoder. */
export const decodeUtf8Node: Utf8Decoder = bytes =>
  bytes instanceof Buffer && isAscii(bytes) ? bytes.toString('latin1') : decodeUtf8(bytes)
