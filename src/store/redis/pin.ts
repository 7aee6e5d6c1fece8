import { type StorePin, StoreReplaced } from '../pin.js'
import type { RedisClient } from './client.js'
import { textOf } from './replies.js'

/** Attempts of a call to find the required identity after the current one was accepted. */
const maxTries = 3

/** The pin of a Redis store. While it refuses, the client rejects all commands that do not come from here. */
export class RedisPin implements StorePin {
  readonly #redis: RedisClient
  readonly #key: string
  #start = ''
  #decide: () => Promise<void> = async () => {}

  /** @param key  of the identity record */
  constructor(redis: RedisClient, key: string) {
    this.#redis = redis
    this.#key = key
    redis.onConnected(() => void this.examine().catch(() => {}))
  }

  /** The required prefix of the identity record's text; '' for any. For scripts that compare it themselves. */
  get start(): string {
    return this.#start
  }

  get key(): string {
    return this.#key
  }

  async read(): Promise<string | undefined> {
    const stored = await this.#redis.unguarded('GET', this.#key)
    if (stored === null) return undefined
    const text = textOf(stored)
    return text.slice(text.indexOf('\n') + 1)
  }

  require(start: string): void {
    this.#start = start
    this.#redis.refusal = undefined
  }

  refuse(reason: string): void {
    this.#redis.refusal = new StoreReplaced(reason)
  }

  onMismatch(decide: () => Promise<void>): void {
    this.#decide = decide
  }

  /** Decides about the current identity. @throws StoreReplaced unless it is accepted; StoreUnavailable */
  async examine(): Promise<void> {
    await this.#decide()
    const { refusal } = this.#redis
    if (refusal !== undefined) throw refusal
  }

  /** @throws StoreReplaced if the store is another one; StoreUnavailable */
  async verify(): Promise<void> {
    for (let i = 0; i < maxTries && this.#start !== ''; i++) {
      if ((await this.read())?.startsWith(this.#start) === true) return
      await this.examine()
    }
  }

  /**
   * The value that was found; undefined if it really does not exist in this store. @throws StoreReplaced,
   * StoreUnavailable
   */
  async confirm<T>(found: T | undefined): Promise<T | undefined> {
    if (found === undefined) await this.verify()
    return found
  }

  /**
   * Repeats a call that found another identity, if that identity is then accepted.
   * @param call  returns undefined if it found another identity than {@link start}
   * @throws StoreReplaced, StoreUnavailable
   */
  async under<T>(call: () => Promise<T | undefined>): Promise<T> {
    for (let i = 0; i < maxTries; i++) {
      const result = await call()
      if (result !== undefined) return result
      await this.examine()
    }
    throw new StoreReplaced('the identity of the store keeps changing')
  }
}
