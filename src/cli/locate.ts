import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Origin } from '../config/sources.js'
import type { OptionValues } from './command.js'
import { Failure } from './errors.js'
import { adminTokenFile } from './first-start.js'

/** Finds the running gateway and a token for it, by precedence: option, environment, `.env`, default. */

export type LookUpSetting = (name: string) => { readonly value: string; readonly from: Origin } | undefined

export function isLoopback(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)
}

/** The host to call for an address to listen on. */
export function hostToCall(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  if (address === '::') return '[::1]'
  return address.includes(':') ? `[${address}]` : address
}

/** @throws Failure for anything but an http(s) URL */
export function findUrl({ url: given }: OptionValues, lookUp: LookUpSetting): string {
  if (given !== undefined) {
    const url = URL.canParse(given) ? new URL(given) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
      throw new Failure('--url must be like https://gateway.example.com, without a name or password')
    }
    return `${url.origin}${url.pathname.replace(/\/$/, '')}`
  }
  const port = lookUp('COUNTERSIGN_PORT')?.value ?? '8080'
  const scheme = lookUp('COUNTERSIGN_TLS_CERT') === undefined ? 'http' : 'https'
  const host = hostToCall(lookUp('COUNTERSIGN_HOST')?.value ?? '127.0.0.1')
  const url = `${scheme}://${host}:${port}`
  if (!URL.canParse(url)) {
    throw new Failure('COUNTERSIGN_HOST and COUNTERSIGN_PORT make no URL: correct them, or use --url')
  }
  return url
}

export interface FoundToken {
  readonly token: string
  /** Where it was found, for messages. */
  readonly from: string
}

/** @throws Failure if there is none, or it cannot be sent in a header */
export function findToken(options: OptionValues, lookUp: LookUpSetting): FoundToken {
  const found = locateToken(options, lookUp)
  // `fetch` would reject it with a message that repeats it.
  if (!/^[!-~]+$/.test(found.token)) {
    throw new Failure(`the token from ${found.from} is empty or has unprintable characters`)
  }
  return found
}

function locateToken(options: OptionValues, lookUp: LookUpSetting): FoundToken {
  if (options.token !== undefined) return { token: options.token, from: '--token' }
  const set = lookUp('COUNTERSIGN_ADMIN_TOKEN')
  if (set !== undefined && options.dataDir === undefined) {
    return { token: set.value, from: `COUNTERSIGN_ADMIN_TOKEN${set.from === '.env' ? ' in .env' : ''}` }
  }
  const path = join(options.dataDir ?? lookUp('COUNTERSIGN_DATA_DIR')?.value ?? './data', adminTokenFile)
  if (!existsSync(path)) {
    throw new Failure(
      `no token: ${path} does not exist. Set COUNTERSIGN_ADMIN_TOKEN, or name the gateway's data folder with --data-dir`
    )
  }
  try {
    return { token: readFileSync(path, 'utf8').trim(), from: path }
  } catch {
    throw new Failure(`this user cannot read ${path}: run as the gateway's user, or set COUNTERSIGN_ADMIN_TOKEN`)
  }
}
