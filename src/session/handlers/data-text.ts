import type { Limits } from '../../protocol/limits.js'
import { ProtocolError } from '../../protocol/protocol-error.js'

/** The data of a message as JSON text. @throws ProtocolError INVALID_MESSAGE if it is too large */
export function dataTextOf(value: unknown, { dataBytes }: Pick<Limits, 'dataBytes'>): string {
  const text = JSON.stringify(value)
  const bytes = Buffer.byteLength(text)
  if (bytes > dataBytes) {
    throw new ProtocolError('INVALID_MESSAGE', `data: ${bytes} bytes of JSON; the limit is ${dataBytes}`)
  }
  return text
}
