/** Converts Redis' replies to values. An unexpected reply is a bug here or in the server, so these functions throw. */

function unexpected(reply: unknown): never {
  throw new Error(`unexpected reply from Redis: ${typeof reply}`)
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
