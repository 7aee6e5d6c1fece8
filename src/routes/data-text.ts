import { ApiError } from '../errors.js'
import { scanFrameText } from '../protocol/json-scan.js'
import type { Limits } from '../protocol/limits.js'
import { ProtocolError } from '../protocol/protocol-error.js'

/** JSON.parse reads 1e400 as Infinity, which JSON.stringify would write as null. */
function requireFinite(_name: string, value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new ApiError('BAD_REQUEST', 'data contains a number that is too large for a double')
  }
  return value
}

/**
 * The data of a publication or a call as JSON text. It must fit into a frame (PROTOCOL §2.3, §10.2).
 * @throws ApiError BAD_REQUEST
 */
export function dataTextOf(data: unknown, { dataBytes, depth }: Limits): string {
  const text = JSON.stringify(data, requireFinite)
  const bytes = Buffer.byteLength(text)
  if (bytes > dataBytes) {
    throw new ApiError('BAD_REQUEST', `data is ${bytes} bytes of JSON; the limit is ${dataBytes} (limits.dataBytes)`)
  }
  try {
    scanFrameText(`{"data":${text}}`, depth)
  } catch (error) {
    if (error instanceof ProtocolError) throw new ApiError('BAD_REQUEST', `data: ${error.message}`)
    throw error
  }
  return text
}
