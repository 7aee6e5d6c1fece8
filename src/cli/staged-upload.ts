import { type Gateway, path, Refused, textOf } from './gateway.js'

/** The API's limit of items per chunk. */
export const chunkItems = 500
/** Characters of a chunk, well below the API's limit of bytes; one item always fits. */
export const chunkChars = 1_000_000
const chunkTimeoutMs = 60_000
/** Timeout of a commit: the gateway moves all staged data before it answers. */
const commitTimeoutMs = 5 * 60_000
const abortTimeoutMs = 30_000

/** A change that is sent in chunks and committed at the end, all or nothing. */
export class StagedUpload {
  readonly #gateway: Gateway
  readonly #address: string
  #isCommitting = false

  private constructor(gateway: Gateway, address: string) {
    this.#gateway = gateway
    this.#address = address
  }

  /** @param collection  the path that starts one  @param idName  the member of its answer that names it */
  static async start(gateway: Gateway, collection: string, idName: string, body?: object): Promise<StagedUpload> {
    const id = textOf(await gateway.call('POST', collection, body), idName)
    return new StagedUpload(gateway, collection + path`/${id}`)
  }

  /** Sends a chunk. @param below  path below that of the upload, e.g. `/licenses` */
  send(below: string, chunk: object): ReturnType<Gateway['call']> {
    return this.#gateway.call('POST', this.#address + below, chunk, { timeoutMs: chunkTimeoutMs })
  }

  /** Commits the change. From here on Ctrl-C waits, because only the answer has the outcome. */
  commit(body?: object): ReturnType<Gateway['call']> {
    this.#isCommitting = true
    const signal = AbortSignal.timeout(commitTimeoutMs)
    return this.#gateway.call('POST', `${this.#address}/commit`, body, { signal, timeoutMs: commitTimeoutMs })
  }

  /** Discards the staged data, even after Ctrl-C. @returns whether the gateway confirmed it */
  async abort(): Promise<boolean> {
    try {
      const signal = AbortSignal.timeout(abortTimeoutMs)
      await this.#gateway.call('DELETE', this.#address, undefined, { signal, timeoutMs: abortTimeoutMs })
      return true
    } catch {
      return false
    }
  }

  /** Whether the change may have happened although a call failed. A refused commit did not happen. */
  mayHaveHappened(error: unknown): boolean {
    return this.#isCommitting && !(error instanceof Refused && error.status < 500)
  }
}
