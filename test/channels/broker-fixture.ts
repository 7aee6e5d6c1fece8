import type { ChannelBounds } from '../../src/channels/bounds.js'
import { createChannelBroker } from '../../src/channels/channel-broker.js'
import type { ChannelBroker, Subscriber } from '../../src/channels/types.js'
import type { Position, StoredPublication } from '../../src/store/channels.js'
import { createClock } from '../helper/clock.js'
import { FakeStore } from './fake-store.js'

export const channel = 'c'

export class TestSubscriber implements Subscriber {
  /** Received offsets and `lost`, in order. */
  readonly received: (number | 'lost')[] = []
  position: Position = { offset: 0, epoch: '' }
  isJoined = false

  publication(_channel: string, epoch: string, { offset }: StoredPublication): void {
    this.received.push(offset)
    this.position = { offset, epoch }
  }

  lost(): void {
    this.received.push('lost')
    this.isJoined = false
  }

  async join(channels: ChannelBroker, recover?: Position, channelName = channel) {
    const joined = await channels.join(this, channelName, recover)
    this.isJoined = true
    this.position = joined.position
    return joined
  }
}

export function start(bounds: Partial<ChannelBounds> = {}, historySize?: number) {
  const clock = createClock()
  const store = new FakeStore(historySize)
  const counts = { delivered: 0, missed: 0, lost: 0 }
  const channels = createChannelBroker({
    ...{ store, bounds, now: clock.now, random: () => 0.5 },
    log: { debug() {} },
    observer: {
      delivered(subscribers) {
        counts.delivered += subscribers
      },
      missed() {
        counts.missed++
      },
      lost(subscribers) {
        counts.lost += subscribers
      }
    }
  })
  const publish = (name = channel) => store.publish(name, '1')
  async function pass(ms: number): Promise<void> {
    clock.advance(ms)
    await channels.tick()
  }
  /** A subscriber that has joined and was released. */
  async function subscriber(recover?: Position, name = channel): Promise<TestSubscriber> {
    const made = new TestSubscriber()
    await made.join(channels, recover, name)
    channels.release(made, name)
    return made
  }
  return { clock, store, channels, counts, publish, pass, subscriber }
}
