import type { Test } from 'tap'
import { createClock } from '../helper/clock.js'
import { type Gateway, type GatewayOptions, startGateway } from '../helper/gateway.js'
import type { Message, Wire } from '../helper/wire.js'
import type { TransportAndStore } from './harness.js'

export const allPermissions = { subscribe: ['*'], publish: ['*'] }

/** `{offset, epoch}` of a `subscribed` or `published`. */
export function positionOf({ offset, epoch }: Message): { offset: number; epoch: string } {
  return { offset: Number(offset), epoch: String(epoch) }
}

export const offsetsOf = (publications: unknown) =>
  (publications as { offset: number }[]).map(publication => publication.offset)

/** The answer to a message, and the publications that came before it. */
export async function askPast(wire: Wire, message: Message): Promise<{ answer: Message; publications: Message[] }> {
  const re = wire.send(message)
  const publications: Message[] = []
  for (;;) {
    const next = await wire.next()
    if (next['re'] === re) return { answer: next, publications }
    if (next.type !== 'publication') throw new Error(`neither answer nor publication: ${JSON.stringify(next)}`)
    publications.push(next)
  }
}

/** The next `count` frames, all of them publications. */
export async function receivePublications(wire: Wire, count: number): Promise<Message[]> {
  const received: Message[] = []
  while (received.length < count) received.push(await wire.next('publication'))
  return received
}

export interface ChannelHarness extends TransportAndStore {
  start(t: Test, options?: GatewayOptions): Promise<Gateway>
}

export function createChannelHarness({ transport, openStore }: TransportAndStore): ChannelHarness {
  return {
    transport,
    openStore,
    async start(t, options = {}) {
      const clock = options.clock ?? createClock()
      const { store } = await openStore(t, clock.now)
      const config = { bridgeTimeoutSeconds: 45, lingerMs: 0, ...options.config }
      return startGateway(t, { store, ...options, transport, config, clock })
    }
  }
}
