import { createInterface } from 'node:readline'
import type { Io } from './command.js'
import { Failure } from './errors.js'
import { invisibleIn, trimKey } from './import/key-text.js'

async function firstLine({ stdin }: Io, name: string): Promise<string> {
  for await (const line of createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY })) return line
  throw new Failure(`${name}: stdin is empty`)
}

/**
 * Reads a license key. Only its hash is stored, so a key with invisible characters could never be entered.
 * @param given  the key, or `-` for the first line of stdin
 * @param name   of the option or argument, for messages
 * @throws Failure
 */
export async function readKey(io: Io, given: string, name: string): Promise<string> {
  // A file may begin with a byte order mark and end in spaces; on a command line they are typed.
  const key = given === '-' ? trimKey(await firstLine(io, `${name} -`)) : given
  const char = invisibleIn(key)
  if (char !== undefined) throw new Failure(`${name}: holds ${char}, which nobody sees: remove it`)
  if (trimKey(key) !== key) throw new Failure(`${name}: begins or ends in a space or an invisible character: remove it`)
  if (key === '') throw new Failure(`${name}: is empty`)
  return key
}
