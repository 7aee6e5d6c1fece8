import { realpathSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { relative, sep } from 'node:path'
import type { Origin } from '../config/sources.js'
import { Failure } from './errors.js'

/**
 * Decides where a secret may be sent. The `.env` of the working folder may come from others, for example with a cloned
 * repository: it must not be able to send a secret of the caller from elsewhere to a host of its choice.
 */

/**
 * The chooser of a value: the working folder by its default data folder or its `.env`, or the caller by the command
 * line or environment. The program's own defaults count as the caller's.
 */
export const trust = { defaultFolder: 0, envFile: 1, caller: 2 } as const

export type Trust = (typeof trust)[keyof typeof trust]

export function trustOf(origin: Origin | undefined): Trust {
  return origin === '.env' ? trust.envFile : trust.caller
}

export interface FoundUrl {
  readonly url: string
  /** Its source, for messages. Undefined: the default. */
  readonly from: string | undefined
  readonly trust: Trust
}

export interface FoundSecret {
  /** `token` or `credential`. */
  readonly kind: string
  /** Its source, for messages. */
  readonly from: string
  readonly trust: Trust
  /** The file that contains it, if any. */
  readonly file?: string
}

export function isLoopback(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)
}

/** Whether a URL leads to this machine, where every gateway with a data folder on it listens. */
function isThisMachine(url: string): boolean {
  if (isLoopback(url)) return true
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  const addresses = Object.values(networkInterfaces()).flatMap(each => each ?? [])
  return host === hostname().toLowerCase() || addresses.some(({ address }) => address === host)
}

function isInWorkingFolder(file: string): boolean {
  const path = relative(realpathSync('.'), realpathSync(file))
  return path !== '..' && !path.startsWith(`..${sep}`)
}

/** `.env` may name a data folder anywhere, and the default one may be a link: its token stays on this machine. */
function isForeignFile({ file }: FoundSecret, { url }: FoundUrl): boolean {
  return file !== undefined && !isInWorkingFolder(file) && !isThisMachine(url)
}

/** @throws Failure unless the URL comes from a source at least as trusted as the secret's own */
export function checkTrust(target: FoundUrl, secret: FoundSecret): void {
  if (target.trust === trust.caller) return
  if (target.trust >= secret.trust && !isForeignFile(secret, target)) return
  // Only a URL of the caller's own helps: another token or credential of theirs is refused like this one.
  throw new Failure(
    `the ${secret.kind} from ${secret.from} is not sent to ${target.url}, which comes from ${target.from}: pass --url`
  )
}
