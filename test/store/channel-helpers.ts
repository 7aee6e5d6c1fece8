import type { Redis } from 'ioredis'
import type { Test } from 'tap'
import type { ChannelStore, HistoryBounds, Position, StoredPublication } from '../../src/store/channels.js'

export interface ChannelsUnderTest {
  readonly channels: ChannelStore
  /** Another instance's view of the same channels; the embedded store has only one. */
  another(): Promise<ChannelStore>
  /** Advances time for stored data. */
  lapse(ms: number): Promise<void>
}

export type OpenChannelsForTest = (t: Test, history?: HistoryBounds) => Promise<ChannelsUnderTest>

export interface Heard extends StoredPublication {
  readonly channel: string
  readonly epoch: string
}

/** Records what a listener receives. */
export function record(channels: ChannelStore): { readonly heard: Heard[]; readonly missed: { count: number } } {
  const heard: Heard[] = []
  const missed = { count: 0 }
  channels.onPublication({
    publication: (channel, epoch, publication) => heard.push({ channel, epoch, ...publication }),
    mayHaveMissed: () => missed.count++
  })
  return { heard, missed }
}

/** Publishes, and fails on a conflict. */
export async function publish(
  channels: ChannelStore,
  channel: string,
  data: string,
  idempotencyKey = ''
): Promise<Position & { readonly duplicate: boolean }> {
  const published = await channels.publish(channel, data, { publishedAt: 1, idempotencyKey })
  if (published === 'conflict') throw new Error('conflict')
  const { offset, epoch, duplicate } = published
  return { offset, epoch, duplicate }
}

/** Advances time for all keys with a prefix, on each server, by shortening their life. In a channel it is also a value. */
export async function lapseKeys(servers: readonly Redis[], prefix: string, ms: number): Promise<void> {
  for (const server of servers) {
    for (const key of await server.keys(`${prefix}:*`)) {
      const left = await server.pttl(key)
      if (/:channel:\{[^}]*\}$/.test(key) && (await server.hexists(key, 'renewed')) === 1)
        await server.hincrby(key, 'renewed', -ms)
      if (left >= 0) await server.pexpire(key, Math.max(left - ms, 0))
    }
  }
}
