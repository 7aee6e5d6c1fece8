import { type CodeName, codes } from './codes.js'

/**
 * A frame that cannot be taken. The only thing that signing, verifying and decoding throw for what a peer sent.
 * @property code  what to answer
 * @property seq   the frame's seq where it could be read: set on faults that do not end a session
 */
export class ProtocolFault extends Error {
  override readonly name = 'ProtocolFault'
  readonly code: CodeName
  readonly seq: number | undefined

  constructor(code: CodeName, message: string = codes[code].message, seq?: number) {
    super(message)
    this.code = code
    this.seq = seq
  }
}
