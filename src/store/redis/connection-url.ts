interface Address {
  readonly host: string
  readonly port: number
}

interface Credentials {
  readonly username?: string
  readonly password?: string
}

/** What a form of COUNTERSIGN_STORE asks for. */
export type ConnectionTarget =
  | { readonly kind: 'single'; readonly url: string }
  | ({ readonly kind: 'cluster'; readonly hosts: readonly Address[] } & Credentials)
  | ({ readonly kind: 'sentinel'; readonly hosts: readonly Address[]; readonly name: string } & Credentials)

const defaultPort = 6379

/** `host`, `host:port` or `[v6]:port`. */
function parseAddress(text: string): Address {
  const { hostname, port } = new URL(`tcp://${text}`)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? defaultPort : Number(port) }
}

/**
 * Reads a form of COUNTERSIGN_STORE: redis://…, rediss://…, redis+sentinel://[user:password@]host:port,…/name,
 * redis+cluster://[user:password@]host:port,…
 * @throws Error if the host or the primary's name is missing
 */
export function parseConnectionUrl(url: string): ConnectionTarget {
  const form = /^redis\+(sentinel|cluster):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?]*)(?:\/([^?]*))?/.exec(url)
  if (form === null) return { kind: 'single', url }
  const [, kind, username = '', password = '', list = '', name = ''] = form
  if (list === '') throw new Error(`redis+${kind}:// needs a host`)
  const hosts = list.split(',').map(parseAddress)
  const credentials = {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) })
  }
  if (kind === 'cluster') return { kind, hosts, ...credentials }
  if (name === '') throw new Error('redis+sentinel://… must end in /<name of the primary>')
  return { kind: 'sentinel', hosts, name, ...credentials }
}
