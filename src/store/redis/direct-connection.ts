import type { Address, Credentials, TlsOptions } from './connection-url.js'
import { Redis } from './ioredis.js'

/** Connections for diagnosing Redis, separate from those of the store. */

/** Time for each step, in milliseconds. */
export const stepMs = 2000

export interface Server {
  readonly address: Address
  readonly credentials: Credentials
  readonly tls?: TlsOptions
}

export function nameOf({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Opens a connection that neither repeats nor reconnects. */
function open({ address, credentials, tls }: Server): Redis {
  return new Redis({
    ...address,
    ...credentials,
    ...(tls === undefined ? {} : { tls }),
    lazyConnect: true,
    connectTimeout: stepMs,
    commandTimeout: stepMs,
    enableReadyCheck: false,
    disableClientInfo: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null
  })
}

/** Runs work on a separate connection. @throws the first error, which names the cause best */
export async function withConnection<T>(server: Server, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = open(server)
  let first: Error | undefined
  redis.on('error', error => {
    first ??= error
  })
  try {
    await redis.connect()
    return await work(redis)
  } catch (error) {
    throw first ?? error
  } finally {
    redis.disconnect()
  }
}
