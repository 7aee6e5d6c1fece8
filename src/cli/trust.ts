import { realpathSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { relative, sep } from 'node:path'
import type { Origin } from '../config/sources.js'
import { Failure } from './errors.js'

/**
 * Which secret may go where. The `.env` of the working folder may be somebody else's, for example that of a repository
 * that was just cloned: it must not send a secret that the caller keeps elsewhere to a host of its choice.
 */

/**
 * By whom something was chosen: the working folder by its default data folder or by its `.env`, or the caller by the
 * command line or environment. What no source sets is the program's own default, and counts as the caller's.
 */
export const trust = { defaultFolder: 0, envFile: 1, caller: 2 } as const

export type Trust = (typeof trust)[keyof typeof trust]

export function trustOf(origin: Origin | undefined): Trust {
  return origin === '.env' ? trust.envFile : trust.caller
}

export interface FoundUrl {
  readonly url: string
  /** Where it was found, for messages. Undefined: the default. */
  readonly from: string | undefined
  readonly trust: Trust
}

export interface FoundSecret {
  /** `token` or `credential`. */
  readonly kind: string
  /** Where it was found, for messages. */
  readonly from: string
  readonly trust: Trust
  /** The file that holds it, if one does. */
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
  // Nothing but a URL of the caller's own helps: another token or credential of theirs is refused like this one.
  throw new Failure(
    `the ${secret.kind} from ${secret.from} is not sent to ${target.url}, which comes from ${target.from}: pass --url`
  )
}
