import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import {
  type Address,
  addressesOf,
  type ConnectionTarget,
  credentialsOf,
  databaseOf,
  parseConnectionUrl,
  type RedisConnection
} from './connection-url.js'
import { nameOf, type Server, stepMs, withConnection } from './direct-connection.js'
import { type Diagnosis, explainError } from './explain-error.js'

/** Finds out why Redis cannot be used, by asking it directly: errors of the client often hide the cause. */

/** Time for a server to send unrequested data, in milliseconds. */
const greetingMs = 300
const notTls = Object.assign(new Error('the server does not speak TLS'), { code: 'EPROTO' })

function ask(server: Server, command: string, ...args: string[]): Promise<unknown> {
  return withConnection(server, redis => redis.call(command, ...args))
}

/** Data that a server sends unrequested: Redis reports that it has no connections left this way, and closes. */
function readGreeting({ address, tls }: Server): Promise<string> {
  return new Promise(resolve => {
    const socket: Socket = tls === undefined ? connectTcp(address) : connectTls({ ...address, ...tls })
    let text = ''
    const finish = () => {
      clearTimeout(timer)
      socket.destroy()
      resolve(text)
    }
    let timer = setTimeout(finish, stepMs)
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer)
      timer = setTimeout(finish, greetingMs)
    })
    socket.once('data', (chunk: Buffer) => {
      text = chunk.toString('latin1')
      finish()
    })
    // `on`: a TLS socket may report several, and one without a listener ends the process.
    socket.on('error', finish)
    socket.once('close', finish)
  })
}

/** Whether a port uses TLS, whatever its certificate. */
function speaksTls(address: Address): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connectTls({ ...address, rejectUnauthorized: false })
    const finish = (isTls: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(isTls)
    }
    const timer = setTimeout(() => finish(false), stepMs)
    socket.once('secureConnect', () => finish(true))
    socket.on('error', () => finish(false))
    socket.once('close', () => finish(false))
  })
}

/**
 * Whether a port answers PING without TLS: a plain server reads a TLS handshake as a command, and waits for its end.
 */
function speaksPlainly(address: Address): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connectTcp(address, () => socket.write('PING\r\n'))
    const finish = (isPlain: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(isPlain)
    }
    const timer = setTimeout(() => finish(false), stepMs)
    socket.once('data', (chunk: Buffer) => finish(/^[+-]/.test(chunk.toString('latin1'))))
    socket.on('error', () => finish(false))
    socket.once('close', () => finish(false))
  })
}

/** Why a server did not answer. @param what  e.g. `Redis` */
async function diagnoseFailure(what: string, server: Server, error: unknown): Promise<Diagnosis> {
  const { address, tls } = server
  const where = `${what} at ${nameOf(address)}`
  const known = explainError(where, error)
  const isTimeout = /timed out|ETIMEDOUT/.test(error instanceof Error ? error.message : '')
  if (tls !== undefined && isTimeout && (await speaksPlainly(address))) return explainError(where, notTls)
  if (known.isClear) return known
  if (/max number of clients/.test(await readGreeting(server))) {
    return explainError(where, new Error('ERR max number of clients reached'))
  }
  if (tls === undefined && (await speaksTls(address))) {
    const todo = 'write rediss in COUNTERSIGN_STORE in place of redis'
    return { cause: `${where} speaks TLS only`, todo, answers: true }
  }
  return known
}

/** @returns undefined if a server answers */
async function diagnoseServer(server: Server, target: ConnectionTarget): Promise<Diagnosis | undefined> {
  const database = databaseOf(target)
  try {
    await (target.kind === 'cluster' ? ask(server, 'CLUSTER', 'SLOTS') : ask(server, 'PING'))
    if (database !== undefined) await ask(server, 'SELECT', database)
    return undefined
  } catch (error) {
    return diagnoseFailure('Redis', server, error)
  }
}

type SentinelTarget = Extract<ConnectionTarget, { kind: 'sentinel' }>

/** The sentinels of a target. Their password is independent of that of Redis. */
export function sentinelsOf({ hosts, sentinelPassword, tls }: SentinelTarget): Server[] {
  const credentials = sentinelPassword === undefined ? {} : { password: sentinelPassword }
  return hosts.map(address => ({ address, credentials, ...(tls === undefined ? {} : { tls }) }))
}

/** The address of the primary, or why no sentinel names it. */
export async function findPrimary(target: SentinelTarget): Promise<Address | Diagnosis> {
  let why: Diagnosis | undefined
  for (const sentinel of sentinelsOf(target)) {
    try {
      const reply = await ask(sentinel, 'SENTINEL', 'get-master-addr-by-name', target.name)
      if (Array.isArray(reply)) return { host: String(reply[0]), port: Number(reply[1]) }
      why = {
        cause: `Sentinel at ${nameOf(sentinel.address)} knows no primary ${JSON.stringify(target.name)}`,
        todo: 'end COUNTERSIGN_STORE in the name that `sentinel monitor` gives it',
        answers: true
      }
    } catch (error) {
      why ??= await diagnoseFailure('Sentinel', sentinel, error)
    }
  }
  return why ?? { cause: 'no sentinel is configured', todo: 'name one in COUNTERSIGN_STORE', answers: false }
}

/** The servers with data: the primary, or the nodes of a Cluster in the URL. */
export async function findServers(target: ConnectionTarget): Promise<readonly Server[] | Diagnosis> {
  const { tls } = target
  const found = target.kind === 'sentinel' ? await findPrimary(target) : undefined
  if (found !== undefined && 'cause' in found) return found
  const addresses = found === undefined ? addressesOf(target) : [found]
  const credentials = credentialsOf(target)
  return addresses.map(address => ({ address, credentials, ...(tls === undefined ? {} : { tls }) }))
}

/** Explains an error that a reachable server reports by itself. */
function explainReply({ address }: Server, error: Error | undefined): Diagnosis | undefined {
  const explanation = explainError(`Redis at ${nameOf(address)}`, error)
  return explanation.isClear && explanation.answers ? explanation : undefined
}

/**
 * Finds out why Redis cannot be used.
 * @param error  error of a connection: a server that answers may still refuse commands of the gateway
 * @returns undefined if it answers now. Never contains any part of a user, password or query
 */
export async function diagnose(connection: RedisConnection, error?: Error): Promise<Diagnosis | undefined> {
  const target = parseConnectionUrl(connection)
  const servers = await findServers(target)
  if ('cause' in servers) return servers
  // One node of a Cluster suffices.
  let why: Diagnosis | undefined
  for (const server of servers) {
    const diagnosis = await diagnoseServer(server, target)
    if (diagnosis === undefined) return explainReply(server, error)
    why ??= diagnosis
  }
  return why
}

/** Pause between two diagnoses while connections keep failing, in milliseconds. */
const pauseMs = 60_000

/**
 * Diagnoses failing connections, at most once a minute, and reports failures that do not pass by themselves: a
 * reachable server that refuses.
 * @param now  milliseconds of a monotonic clock
 */
export function createDiagnoser(
  connection: RedisConnection,
  report: (diagnosis: Diagnosis) => void,
  now: () => number = () => performance.now()
): (error: Error) => void {
  let lastAt = Number.NEGATIVE_INFINITY
  return error => {
    if (now() - lastAt < pauseMs) return
    lastAt = now()
    diagnose(connection, error)
      .then(diagnosis => {
        if (diagnosis?.answers === true) report(diagnosis)
      })
      // It opens its own connections, whose errors are known already.
      .catch(() => {})
  }
}
