import { closeSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { type Context, Failure, type Flag } from './command.js'
import { type Answer, textOf } from './gateway.js'
import { note, printJson, printLine, printMembers } from './output.js'

/** Secrets that are shown once, and credentials in files. */

export const saveFlag: Flag = {
  name: 'save',
  kind: 'text',
  value: '<file>',
  summary: 'Write the credential to a new file (mode 0600) for `connect --credential`, instead of showing it.'
}

/**
 * Makes something with a secret, and shows the secret once or saves it. The file is made first: a secret that the
 * gateway has made but that cannot be written would be lost.
 * @param names  members to show
 */
export async function showSecret(
  { io, values }: Context,
  names: readonly string[],
  secretName: string,
  make: () => Promise<Answer>
): Promise<void> {
  const file = values.text('save')
  if (file !== undefined) {
    const made = await saveNew(file, make)
    if (values.has('json'))
      await printJson(io, Object.fromEntries(Object.entries(made).filter(([name]) => name !== 'secret')))
    else {
      await printMembers(io, made, names)
      await printLine(io, `\nThe credential is in ${file}, and nowhere else.`)
    }
    return
  }
  const made = await make()
  const secret = textOf(made, secretName)
  if (values.has('json')) {
    await printJson(io, made)
    return
  }
  await printMembers(io, made, names)
  // The secret stands by itself, raw: it is there to be copied.
  await printLine(io, `\n${secretName}: ${secret}\n`)
  await note(io, `Keep the ${secretName}: it is shown this once.`)
}

async function saveNew(file: string, make: () => Promise<Answer>): Promise<Answer> {
  let handle: number
  try {
    handle = openSync(file, 'wx', 0o600)
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    throw new Failure(exists ? `${file} exists: name a new file with --save` : `${file} cannot be written`)
  }
  let saved = false
  try {
    const made = await make()
    const credential = {
      clientId: textOf(made, 'clientId'),
      keyId: textOf(made, 'keyId'),
      secret: textOf(made, 'secret')
    }
    writeSync(handle, `${JSON.stringify(credential, null, 2)}\n`)
    saved = true
    return made
  } finally {
    closeSync(handle)
    if (!saved) rmSync(file, { force: true })
  }
}

export interface Credential {
  readonly clientId: string
  readonly keyId?: string
  readonly secret: string
}

/** What a client proves itself with, from `--credential` or the environment. @throws Failure */
export function readCredential({ io, values }: Context): Credential {
  const file = values.text('credential')
  if (file !== undefined) return readFile(file)
  const { CLIENT_ID: clientId, KEY_ID: keyId, CLIENT_SECRET: secret } = io.env
  if (!clientId || !secret) {
    throw new Failure('no credential: set CLIENT_ID, KEY_ID and CLIENT_SECRET, or name a file with --credential')
  }
  return { clientId, secret, ...(keyId ? { keyId } : {}) }
}

function readFile(file: string): Credential {
  let text: string
  try {
    // Windows has no such modes.
    if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
      throw new Failure(`others can read ${file}: chmod 600 it first`)
    }
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw error instanceof Failure ? error : new Failure(`${file} cannot be read`)
  }
  let given: Partial<Record<string, unknown>> | null = null
  try {
    given = JSON.parse(text)
  } catch {
    // Said below, without a word of what stands there.
  }
  const { clientId, keyId, secret } = given ?? {}
  if (
    typeof clientId !== 'string' ||
    typeof secret !== 'string' ||
    (keyId !== undefined && typeof keyId !== 'string')
  ) {
    throw new Failure(`${file} holds no credential: it is JSON with clientId, keyId and secret`)
  }
  return { clientId, secret, ...(keyId === undefined ? {} : { keyId }) }
}
