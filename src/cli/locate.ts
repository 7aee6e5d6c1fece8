import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from './command.js'
import { adminTokenFile } from './first-start.js'
import type { Origin } from './flags.js'
import type { Values } from './values.js'

/** Where the running gateway is, and what opens it: flag over environment over `.env` over default. */

export type Settings = (name: string) => { readonly value: string; readonly from: Origin } | undefined

export function isLoopback(url: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(url).hostname)
}

/** An address to listen on as one to call. */
export function callable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}

/** @throws Failure for what is no http(s) URL */
export function findUrl(values: Values, settings: Settings): string {
  const given = values.text('url')
  if (given !== undefined) {
    const url = URL.canParse(given) ? new URL(given) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
      throw new Failure('--url is like https://gateway.example.com, without a name or password in it')
    }
    return `${url.origin}${url.pathname.replace(/\/$/, '')}`
  }
  const port = settings('COUNTERSIGN_PORT')?.value ?? '8080'
  const scheme = settings('COUNTERSIGN_TLS_CERT') === undefined ? 'http' : 'https'
  const host = callable(settings('COUNTERSIGN_HOST')?.value ?? '127.0.0.1')
  // Kubernetes sets COUNTERSIGN_PORT=tcp://… beside a Service of that name.
  const url = `${scheme}://${host}:${port.startsWith('tcp://') ? '8080' : port}`
  if (!URL.canParse(url))
    throw new Failure('COUNTERSIGN_HOST and COUNTERSIGN_PORT make no URL: correct them, or use --url')
  return url
}

/** @returns the token, and in words where it is from. @throws Failure where there is none */
export function findToken(values: Values, settings: Settings): { readonly token: string; readonly from: string } {
  const found = locateToken(values, settings)
  // Anything else cannot stand in a header, and the fault would repeat it.
  if (!/^[!-~]+$/.test(found.token))
    throw new Failure(`the token from ${found.from} is empty or has unprintable characters`)
  return found
}

function locateToken(values: Values, settings: Settings): { token: string; from: string } {
  const flag = values.text('token')
  if (flag !== undefined) return { token: flag, from: '--token' }
  const set = settings('COUNTERSIGN_ADMIN_TOKEN')
  if (set !== undefined && !values.has('data-dir')) {
    return { token: set.value, from: `COUNTERSIGN_ADMIN_TOKEN${set.from === '.env' ? ' in .env' : ''}` }
  }
  const dataDir = values.text('data-dir') ?? settings('COUNTERSIGN_DATA_DIR')?.value ?? './data'
  const path = join(dataDir, adminTokenFile)
  if (!existsSync(path)) {
    throw new Failure(
      `no token: there is no ${path}. Set COUNTERSIGN_ADMIN_TOKEN, or name the gateway's folder with --data-dir`
    )
  }
  try {
    return { token: readFileSync(path, 'utf8').trim(), from: path }
  } catch {
    throw new Failure(`${path} cannot be read by this user: become the gateway's, or set COUNTERSIGN_ADMIN_TOKEN`)
  }
}
