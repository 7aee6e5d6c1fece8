/** From Redis' replies to values. A reply of another shape is a fault of ours, or of the server's: it is thrown. */

function unexpected(reply: unknown): never {
  throw new Error(`an unexpected reply from Redis: ${typeof reply}`)
}

export function textOf(reply: unknown): string {
  return typeof reply === 'string' ? reply : unexpected(reply)
}

export function integerOf(reply: unknown): number {
  return typeof reply === 'number' && Number.isSafeInteger(reply) ? reply : unexpected(reply)
}

export function listOf(reply: unknown): readonly unknown[] {
  return Array.isArray(reply) ? reply : unexpected(reply)
}

export function textsOf(reply: unknown): readonly string[] {
  return listOf(reply).map(textOf)
}
