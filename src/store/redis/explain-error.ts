import { missingRuleOf, permitTodo } from './acl.js'

/** Why Redis cannot be used, and what to do: two parts of one sentence, without any part of a user or password. */
export interface Diagnosis {
  readonly cause: string
  readonly todo: string
  /** Whether the server is reachable, so that waiting for it does not help. */
  readonly answers: boolean
}

export interface Explanation extends Diagnosis {
  /** Whether the error names its cause. A broken connection does not. */
  readonly isClear: boolean
}

/** By prefix of Redis' own errors (redis.io, "Redis serialization protocol", Simple errors). */
const replies: readonly (readonly [RegExp, string, string])[] = [
  [
    /^(ERR )?max number of clients/,
    'has no connection left (maxclients)',
    'raise its maxclients, or close other clients'
  ],
  [/^WRONGPASS|^ERR invalid password/, 'refuses the user or password', 'correct them in $credentials'],
  [/^NOAUTH/, 'wants a password', 'add it: $credentials'],
  [
    /^ERR (AUTH <password> called|Client sent AUTH)/,
    'has no password, but one is configured',
    'remove it from $credentials, or set requirepass'
  ],
  [/^DENIED/, 'is in protected mode', 'set a password, or bind it to a private address'],
  [/^LOADING/, 'still loads its data', 'wait: the gateway starts when it is ready'],
  [/^MASTERDOWN|^READONLY/, 'is a replica', 'name the primary in COUNTERSIGN_STORE'],
  [/^CLUSTERDOWN/, 'has slots that no node serves', 'repair the Cluster: redis-cli --cluster check'],
  [
    /^ERR (DB index|invalid DB index)/,
    'has no database of that number',
    'correct the end of COUNTERSIGN_STORE, or raise databases in its configuration'
  ],
  [/^Unknown RESP type|Protocol error/, 'does not speak the protocol of Redis', 'is the port right?'],
  [/cluster support disabled/, 'is no Cluster', 'write redis:// in COUNTERSIGN_STORE in place of redis+cluster://'],
  [/^ERR unknown command.*SENTINEL/i, 'is no sentinel', 'name the port of Sentinel, usually 26379']
]

const ca = 'set COUNTERSIGN_REDIS_CA to the PEM file of the authority that signed it'

/**
 * By code of Node's errors: those of sockets, and those of certificates (nodejs.org, "TLS", X509 certificate error
 * codes).
 */
const codes: Readonly<Record<string, readonly [string, string]>> = {
  ECONNREFUSED: ['accepts no connection', 'is it running, and is the port right?'],
  ENOTFOUND: ['has a host name that does not resolve', 'correct the host in COUNTERSIGN_STORE'],
  EAI_AGAIN: ['has a host name that does not resolve now', 'check the name server of this machine'],
  EHOSTUNREACH: ['cannot be reached from this machine', 'correct the host, or the network between them'],
  ENETUNREACH: ['cannot be reached from this machine', 'correct the host, or the network between them'],
  ETIMEDOUT: ['does not answer', 'is the host right, and does a firewall drop its packets?'],
  SELF_SIGNED_CERT_IN_CHAIN: ['has a certificate that is not trusted', ca],
  DEPTH_ZERO_SELF_SIGNED_CERT: ['has a certificate that is not trusted', ca],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: ['has a certificate that is not trusted', ca],
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: ['has a certificate that is not trusted', ca],
  UNABLE_TO_GET_ISSUER_CERT: ['has a certificate that is not trusted', ca],
  CERT_HAS_EXPIRED: ['has a certificate that has expired', 'renew it'],
  CERT_NOT_YET_VALID: ['has a certificate that is not valid yet', 'check the clocks of both machines'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'has a certificate for other names',
    'name it in COUNTERSIGN_STORE as its certificate does, or sign a certificate for this name'
  ],
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: ['wants a certificate of its clients', 'set tls-auth-clients no'],
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: ['refuses the TLS handshake', 'check its tls-protocols and tls-ciphers'],
  ERR_SSL_WRONG_VERSION_NUMBER: ['does not speak TLS', 'write redis in COUNTERSIGN_STORE in place of rediss'],
  EPROTO: ['does not speak TLS', 'write redis in COUNTERSIGN_STORE in place of rediss'],
  ERR_SSL_PACKET_LENGTH_TOO_LONG: ['does not speak TLS', 'write redis in COUNTERSIGN_STORE in place of rediss']
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/**
 * Explains an error of a connection.
 * @param where  the server, e.g. `Redis at 10.0.0.1:6379`
 */
export function explainError(where: string, error: unknown): Explanation {
  if (!(error instanceof Error))
    return { cause: `${where} cannot be used`, todo: 'see its log', answers: false, isClear: false }
  const credentials = where.startsWith('Sentinel') ? 'COUNTERSIGN_SENTINEL_PASSWORD' : 'COUNTERSIGN_STORE'
  const missing = missingRuleOf(error.message)
  if (missing !== undefined) {
    const cause = `${where} does not permit its user to ${missing.refused}`
    return { cause, todo: permitTodo(missing), answers: true, isClear: true }
  }
  const [, what, advice] = replies.find(([pattern]) => pattern.test(error.message)) ?? []
  if (what !== undefined && advice !== undefined) {
    return {
      cause: `${where} ${what}`,
      todo: advice.replace('$credentials', credentials),
      answers: true,
      isClear: true
    }
  }
  const code = codeOf(error)
  const [found, todo] = codes[code] ?? []
  if (found !== undefined && todo !== undefined) {
    return {
      cause: `${where} ${found}`,
      todo,
      answers: /CERT|TLS|SSL|SIGNATURE|ISSUER|EPROTO/.test(code),
      isClear: true
    }
  }
  if (/timed out|ETIMEDOUT/.test(error.message)) {
    const todo = 'is it overloaded or paused? see its log'
    return { cause: `${where} does not answer in time`, todo, answers: false, isClear: true }
  }
  return { cause: `${where} closes the connection`, todo: 'see its log', answers: false, isClear: false }
}
