import { channelLifeMs } from '../channels.js'

/** Longest life of `session:…`, which cannot be recovered after its session, in milliseconds. */
const sessionChannelLifeMs = 60 * 60 * 1000
const probeChannelLifeMs = 60 * 1000

/** How long channels live in Redis after their last use, in milliseconds. */
export class ChannelLife {
  readonly #lifeMs: number
  readonly #probePrefix: string

  /** @param historyLifeMs  see `HistoryBounds`. @param probePrefix  prefix of the channels of this instance's probes */
  constructor(historyLifeMs: number, probePrefix: string) {
    this.#lifeMs = channelLifeMs(true, historyLifeMs)
    this.#probePrefix = probePrefix
  }

  of(channel: string): number {
    return this.shorterOf(channel) ?? this.#lifeMs
  }

  /** Undefined for most channels. */
  shorterOf(channel: string): number | undefined {
    if (channel.startsWith(this.#probePrefix)) return probeChannelLifeMs
    return channel.startsWith('session:') ? Math.min(sessionChannelLifeMs, this.#lifeMs) : undefined
  }
}
