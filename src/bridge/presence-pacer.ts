import { presenceIntervalMs, subjectOf } from '../session/presence-changes.js'

/** Channels whose last message is remembered. Above, all are forgotten: a message may then come early. */
export const maxPacedChannels = 256

/** When a session may get the next message about the presence of a channel, as far as this instance knows. */
export class PresencePacer {
  readonly #now: () => number
  readonly #sentAt = new Map<string, number>()

  /** @param now  Unix milliseconds of the steady clock */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Milliseconds to wait; 0 for a channel of clients. @param name  see `presenceChannelOf` */
  waitMs(name: string): number {
    if (subjectOf(name) === undefined) return 0
    const sentAt = this.#sentAt.get(name)
    return sentAt === undefined ? 0 : Math.max(0, sentAt + presenceIntervalMs - this.#now())
  }

  sent(name: string): void {
    if (this.#sentAt.size >= maxPacedChannels) this.#sentAt.clear()
    this.#sentAt.set(name, this.#now())
  }
}
