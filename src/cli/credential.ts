import { fsyncSync, ftruncateSync, statSync, writeSync } from 'node:fs'
import { isWellFormedSecret } from '../registry/secrets.js'
import type { Invocation } from './command.js'
import { Failure } from './errors.js'
import { type Answer, textOf } from './gateway.js'
import { parseRecord } from './json.js'
import { fillNewFile, writeAll, writing } from './new-file.js'
import { text } from './options.js'
import { note, printJson, printLine, printMembers } from './output.js'
import { readTextFile } from './text-file.js'
import { type FoundSecret, trust } from './trust.js'

/** Secrets that are shown once, and credentials in files. */

export const saveOption = text(
  '--save <file>',
  'Write the credential to a new file (mode 0600) for `connect --credential`, instead of showing it.'
)

/**
 * Creates an object with a secret, and shows the secret once or saves it. The file and its disk space are reserved
 * before the request: a secret that cannot be written afterwards would be lost.
 * @param names  members of the answer to show
 * @param secretName  the member that holds the secret
 * @param create  sends the request
 * @throws Failure, and errors of `create`
 */
export async function showSecret(
  { io, options }: Invocation,
  names: readonly string[],
  secretName: string,
  create: () => Promise<Answer>
): Promise<void> {
  const { save: file, json } = options
  if (file !== undefined) {
    const { secret: _, ...shown } = await saveNew(file, create)
    if (json) await printJson(io, shown)
    else {
      await printMembers(io, shown, names)
      await printLine(io, `\nThe credential is in ${file}, and nowhere else.`)
    }
    return
  }
  const created = await create()
  const secret = textOf(created, secretName)
  if (json) {
    await printJson(io, created)
    return
  }
  await printMembers(io, created, names)
  // The secret is printed unchanged, so that it can be copied.
  await printLine(io, `\n${secretName}: ${secret}\n`)
  await note(io, `Keep the ${secretName}: it is shown only this once.`)
}

/** More than the bytes of any credential. */
const reservedBytes = 4096

function saveNew(file: string, create: () => Promise<Answer>): Promise<Answer> {
  return fillNewFile(file, 'name a new file with --save', async handle => {
    writing(file, () => {
      writeAll(handle, ' '.repeat(reservedBytes))
      fsyncSync(handle)
    })
    const created = await create()
    const members = ['clientId', 'keyId', 'secret'].map(name => [name, textOf(created, name)])
    writing(file, () => {
      ftruncateSync(handle, writeSync(handle, `${JSON.stringify(Object.fromEntries(members), null, 2)}\n`, 0))
      fsyncSync(handle)
    })
    return created
  })
}

export interface Credential {
  readonly clientId: string
  readonly keyId?: string
  readonly secret: string
}

/** Sources of {@link readCredential}. */
export function credentialSource({ options }: Invocation): FoundSecret {
  const from = options.credential ?? 'CLIENT_SECRET in the environment'
  return { kind: 'credential', from, trust: trust.caller }
}

/** Prefixes of secrets that a gateway generates; only these have a checksum (PROTOCOL §3). */
const generatedPrefix = 'cs_'

/**
 * Reads a client's credential from `--credential` or the environment.
 * @throws Failure, also for a secret whose checksum shows a typing error, before anything is sent
 */
export function readCredential(invocation: Invocation): Credential {
  const { credential: file } = invocation.options
  const credential = file === undefined ? readEnvironment(invocation) : readFile(file)
  if (credential.secret.startsWith(generatedPrefix) && !isWellFormedSecret(credential.secret)) {
    const source = file === undefined ? 'CLIENT_SECRET' : `secret in ${file}`
    throw new Failure(`${source}: the checksum does not match, so a character is wrong or missing. Copy it again`)
  }
  return credential
}

function readEnvironment({ io }: Invocation): Credential {
  const { CLIENT_ID: clientId, KEY_ID: keyId, CLIENT_SECRET: secret } = io.env
  if (!clientId || !secret) {
    throw new Failure('no credential: set CLIENT_ID, KEY_ID and CLIENT_SECRET, or name a file with --credential')
  }
  return { clientId, secret, ...(keyId ? { keyId } : {}) }
}

function readFile(file: string): Credential {
  const text = readTextFile(file)
  // Windows has no file modes.
  if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
    throw new Failure(`others can read ${file}: chmod 600 it first`)
  }
  const { clientId, keyId, secret } = parseRecord(text) ?? {}
  if (typeof clientId === 'string' && typeof secret === 'string') {
    if (keyId === undefined) return { clientId, secret }
    if (typeof keyId === 'string') return { clientId, secret, keyId }
  }
  throw new Failure(`${file} holds no credential: it must be JSON with clientId, keyId and secret`)
}
