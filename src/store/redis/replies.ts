import { StoreUnavailable } from '../errors.js'

/** Converts Redis' replies to values. */

/** A reply has another form than the gateway's own data: they were changed in Redis. */
export class UnexpectedReply extends StoreUnavailable {
  constructor(reply: unknown) {
    super(new Error(`unexpected reply from Redis: ${typeof reply}`))
  }
}

function unexpected(reply: unknown): never {
  throw new UnexpectedReply(reply)
}

export function textOf(reply: unknown): string {
  return typeof reply === 'string' ? reply : unexpected(reply)
}

export function integerOf(reply: unknown): number {
  return typeof reply === 'number' && Number.isSafeInteger(reply) ? reply : unexpected(reply)
}

/** @param text  a number as written by a script or a gateway */
export function numberOf(text: unknown): number {
  const number = typeof text === 'string' && text !== '' ? Number(text) : Number.NaN
  return Number.isFinite(number) ? number : unexpected(text)
}

export function listOf(reply: unknown): readonly unknown[] {
  return Array.isArray(reply) ? reply : unexpected(reply)
}

export function textsOf(reply: unknown): readonly string[] {
  return listOf(reply).map(textOf)
}
