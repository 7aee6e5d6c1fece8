import type { CodeName } from '../protocol/codes.js'
import { attributePairs } from '../protocol/limits.js'
import type { Attributes } from '../protocol/messages.js'
import { ProtocolError } from '../protocol/protocol-error.js'

/**
 * The attributes of a session (PROTOCOL §4.2, §15).
 * @param given  by the client; each side is within the bounds of the schema
 * @param fixed  those of its ticket, which win
 * @param code   refuses more than 16 of both together
 * @throws ProtocolError
 */
export function mergeAttributes(
  given: Attributes,
  fixed: Attributes,
  code: Extract<CodeName, 'PROTOCOL_ERROR' | 'INVALID_MESSAGE'>
): Attributes {
  const merged = { ...given, ...fixed }
  const count = Object.keys(merged).length
  if (count <= attributePairs) return merged
  throw new ProtocolError(code, `attributes: ${count} with those of the ticket; the limit is ${attributePairs}`)
}
