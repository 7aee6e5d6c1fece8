import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FoundSetting, Origin } from '../config/sources.js'
import type { OptionValues } from './command.js'
import { Failure } from './errors.js'
import { adminTokenFile } from './first-start.js'
import { type FoundSecret, type FoundUrl, trust, trustOf } from './trust.js'

/** Finds the running gateway and a token for it, by precedence: option, environment, `.env`, default. */

export type LookUpSetting = (name: string) => FoundSetting | undefined

/** The host to call for an address to listen on. */
export function hostToCall(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1'
  if (address === '::') return '[::1]'
  return address.includes(':') ? `[${address}]` : address
}

/** @throws Failure unless the text is an http(s) URL */
export function findUrl({ url: given }: OptionValues, lookUp: LookUpSetting): FoundUrl {
  if (given !== undefined) {
    const url = URL.canParse(given) ? new URL(given) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
      throw new Failure('--url must be like https://gateway.example.com, without a name or password')
    }
    return { url: `${url.origin}${url.pathname.replace(/\/$/, '')}`, from: '--url', trust: trust.caller }
  }
  const [port, host] = [lookUp('COUNTERSIGN_PORT'), lookUp('COUNTERSIGN_HOST')]
  const scheme = lookUp('COUNTERSIGN_TLS_CERT') === undefined ? 'http' : 'https'
  const url = `${scheme}://${hostToCall(host?.value ?? '127.0.0.1')}:${port?.value ?? '8080'}`
  if (!URL.canParse(url)) {
    throw new Failure('COUNTERSIGN_HOST and COUNTERSIGN_PORT make no URL: correct them, or use --url')
  }
  // The less trusted of the two decides: a port alone may lead to another program on this machine.
  const origins = [host, port].flatMap(each => each?.from ?? []).sort((a, b) => trustOf(a) - trustOf(b))
  const [origin] = origins
  const from =
    origin === undefined
      ? undefined
      : settingIn(host?.from === origin ? 'COUNTERSIGN_HOST' : 'COUNTERSIGN_PORT', origin)
  return { url, from, trust: trustOf(origin) }
}

function settingIn(name: string, origin: Origin): string {
  return origin === 'environment' ? `${name} in the environment` : `${name} in ${origin}`
}

export interface FoundToken extends FoundSecret {
  readonly token: string
}

/** @throws Failure if there is none, or it cannot be sent in a header */
export function findToken(options: OptionValues, lookUp: LookUpSetting): FoundToken {
  const found = locateToken(options, lookUp)
  // `fetch` would reject it with a message that quotes it.
  if (!/^[!-~]([ -~]*[!-~])?$/.test(found.token)) {
    throw new Failure(`the token from ${found.from} is empty or has unprintable characters`)
  }
  return found
}

function locateToken(options: OptionValues, lookUp: LookUpSetting): FoundToken {
  const kind = 'token'
  if (options.token !== undefined) return { kind, token: options.token, from: '--token', trust: trust.caller }
  const set = lookUp('COUNTERSIGN_ADMIN_TOKEN')
  if (set !== undefined && options.dataDir === undefined) {
    const from = settingIn('COUNTERSIGN_ADMIN_TOKEN', set.from)
    return {
      kind,
      token: set.value,
      from,
      trust: trustOf(set.from),
      ...(set.path === undefined ? {} : { file: set.path })
    }
  }
  const folder = lookUp('COUNTERSIGN_DATA_DIR')
  const path = join(options.dataDir ?? folder?.value ?? './data', adminTokenFile)
  const isDefault = options.dataDir === undefined && folder === undefined
  const chosenBy = isDefault ? trust.defaultFolder : trustOf(options.dataDir === undefined ? folder?.from : 'flag')
  return { kind, token: readTokenFile(path), from: path, trust: chosenBy, file: path }
}

/** @throws Failure */
function readTokenFile(path: string): string {
  if (!existsSync(path)) {
    throw new Failure(
      `no token: ${path} does not exist. Set COUNTERSIGN_ADMIN_TOKEN, or name the gateway's data folder with --data-dir`
    )
  }
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    throw new Failure(`this user cannot read ${path}: run as the gateway's user, or set COUNTERSIGN_ADMIN_TOKEN`)
  }
}
