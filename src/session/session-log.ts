import type { Peer } from '../auth/peer.js'
import type { Log } from './dependencies.js'

/**
 * The log of one session: each line names it. A child logger of pino would be the largest part of an idle session in
 * memory, and would keep the log level of its creation.
 */
export class SessionLog implements Log {
  readonly #log: Log
  readonly #peer: Pick<Peer, 'sessionId' | 'clientId'>

  constructor(log: Log, peer: Pick<Peer, 'sessionId' | 'clientId'>) {
    this.#log = log
    this.#peer = peer
  }

  #with(fields: object): object {
    const { sessionId, clientId } = this.#peer
    return { sessionId, clientId, ...fields }
  }

  debug(fields: object, message: string): void {
    this.#log.debug(this.#with(fields), message)
  }

  info(fields: object, message: string): void {
    this.#log.info(this.#with(fields), message)
  }

  warn(fields: object, message: string): void {
    this.#log.warn(this.#with(fields), message)
  }

  error(fields: object, message: string): void {
    this.#log.error(this.#with(fields), message)
  }
}
