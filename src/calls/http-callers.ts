import { RateLimited } from '../protocol/protocol-error.js'
import { retryAfterMs } from '../protocol/retry.js'
import type { StoreBound } from '../store/store.js'

/** Open calls over HTTP of one token. */
export const maxOpenCallsPerToken = 2048
/** Open calls over HTTP of all tokens on this instance. */
export const maxOpenHttpCalls = 4096

/** Bounds calls without a session. */
export class HttpCallers {
  readonly #openByActor = new Map<string, number>()
  #open = 0

  get bound(): StoreBound {
    return { name: 'http_calls', used: this.#open, limit: maxOpenHttpCalls }
  }

  /**
   * Counts calls as open.
   * @param actor  the caller, as the audit log names it
   * @returns a function that counts one of them as closed
   * @throws RateLimited; nothing is counted then
   */
  begin(actor: string, calls: number): () => void {
    const open = this.#openByActor.get(actor) ?? 0
    if (open + calls > maxOpenCallsPerToken) {
      throw new RateLimited(`${open} calls of this token are open; the limit is ${maxOpenCallsPerToken}`, retryAfterMs)
    }
    if (this.#open + calls > maxOpenHttpCalls) {
      throw new RateLimited(`${this.#open} calls over HTTP are open; the limit is ${maxOpenHttpCalls}`, retryAfterMs)
    }
    this.#add(actor, calls)
    return () => this.#add(actor, -1)
  }

  #add(actor: string, calls: number): void {
    this.#open += calls
    const open = (this.#openByActor.get(actor) ?? 0) + calls
    if (open === 0) this.#openByActor.delete(actor)
    else this.#openByActor.set(actor, open)
  }
}
