import { presenceIntervalMs, subjectOf } from '../session/presence-changes.js'
import type { Position } from '../store/channels.js'

/** Channels whose last message is remembered. Above, all are forgotten: a message may then be sent early. */
export const maxPacedChannels = 256

/** The last check of a channel for changes. */
interface LastCheck {
  readonly at: number
  readonly top: Position
  /** The count in its last message; undefined: there was none. */
  readonly count: number | undefined
}

/** Paces a session's messages about the presence of channels, as far as this instance knows. */
export class PresencePacer {
  readonly #now: () => number
  readonly #checks = new Map<string, LastCheck>()

  /** @param now  Unix milliseconds of the steady clock */
  constructor(now: () => number) {
    this.#now = now
  }

  /** Milliseconds to wait; 0 for a channel of clients. @param name  see `presenceChannelOf` */
  waitMs(name: string): number {
    if (subjectOf(name) === undefined) return 0
    const at = this.#checks.get(name)?.at
    return at === undefined ? 0 : Math.max(0, at + presenceIntervalMs - this.#now())
  }

  /** The count known to the session, if it has followed the changes since the last check, which ended there. */
  statedCount(name: string, { epoch, offset }: Position): number | undefined {
    const last = this.#checks.get(name)
    return last?.top.epoch === epoch && last.top.offset === offset ? last.count : undefined
  }

  /** @param top  end of the changes that were read. @param count  the count now known to the session */
  checked(name: string, top: Position, count: number | undefined): void {
    if (this.#checks.size >= maxPacedChannels) this.#checks.clear()
    this.#checks.set(name, { at: this.#now(), top, count })
  }
}
