export interface Address {
  readonly host: string
  readonly port: number
}

export interface Credentials {
  readonly username?: string
  readonly password?: string
}

/** Connection to Redis. */
export interface RedisConnection {
  /** One of the forms of COUNTERSIGN_STORE. */
  readonly url: string
  /** Certificates of the trusted authorities, PEM. Default: those of Node. */
  readonly caPem?: string
  readonly sentinelPassword?: string
}

/** Options of `tls.connect`. */
export interface TlsOptions {
  readonly ca?: string
}

interface Tls {
  /** Absent without TLS. */
  readonly tls?: TlsOptions
}

/** The contents of one form of COUNTERSIGN_STORE. */
export type ConnectionTarget =
  | ({ readonly kind: 'single'; readonly url: string } & Tls)
  | ({ readonly kind: 'cluster'; readonly hosts: readonly Address[] } & Credentials & Tls)
  | ({
      readonly kind: 'sentinel'
      readonly hosts: readonly Address[]
      readonly name: string
      readonly sentinelPassword?: string
    } & Credentials &
      Tls)

const defaultPort = 6379

/** `host`, `host:port` or `[v6]:port`. */
function parseAddress(text: string): Address {
  const { hostname, port } = new URL(`tcp://${text}`)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? defaultPort : Number(port) }
}

/** The user info extends to the last `@`: the config refuses ambiguous URLs. */
const form = /^rediss?(?:\+(sentinel|cluster))?:\/\/(?:([^:@/]*)(?::([^/]*))?@)?([^/?]*)(?:\/([^?]*))?/

/** The parts of a URL. @throws URIError if its user info is not percent-encoded */
function parseParts(url: string) {
  const [, kind, username = '', password = '', list = '', path = ''] = form.exec(url) ?? []
  const credentials: Credentials = {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) })
  }
  return { kind, credentials, list, path }
}

/**
 * Reads a form of COUNTERSIGN_STORE: redis://…, redis+sentinel://[user:password@]host:port,…/name,
 * redis+cluster://[user:password@]host:port,…; each of them with TLS as rediss….
 * @throws Error if the host or the primary's name is missing
 */
export function parseConnectionUrl({ url, caPem, sentinelPassword }: RedisConnection): ConnectionTarget {
  const isTls = url.startsWith('rediss')
  const tls: Tls = isTls ? { tls: caPem === undefined ? {} : { ca: caPem } } : {}
  const { kind, credentials, list, path } = parseParts(url)
  // ioredis would use its own TLS options for `rediss:`.
  if (kind === undefined) return { kind: 'single', url: url.replace(/^rediss:/, 'redis:'), ...tls }
  if (list === '') throw new Error(`redis+${kind}:// needs a host`)
  const hosts = list.split(',').map(parseAddress)
  if (kind === 'cluster') return { kind, hosts, ...credentials, ...tls }
  if (path === '') throw new Error('redis+sentinel://… must end in /<name of the primary>')
  const ofSentinel = sentinelPassword === undefined ? {} : { sentinelPassword }
  return { kind: 'sentinel', hosts, name: path, ...credentials, ...ofSentinel, ...tls }
}

/** The addresses of a target, and the first commands for them. */
export function addressesOf(target: ConnectionTarget): readonly Address[] {
  return target.kind === 'single' ? [parseAddress(parseParts(target.url).list)] : target.hosts
}

/** The database number in the URL of a single Redis, as text. */
export function databaseOf(target: ConnectionTarget): string | undefined {
  if (target.kind !== 'single') return undefined
  const [, inQuery] = /[?&]db=(\d+)/.exec(target.url) ?? []
  return inQuery ?? (parseParts(target.url).path || undefined)
}

/** The user and password of Redis itself. */
export function credentialsOf(target: ConnectionTarget): Credentials {
  if (target.kind === 'single') return parseParts(target.url).credentials
  const { username, password } = target
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
}
