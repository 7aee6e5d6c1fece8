import type { Test } from 'tap'
import type { Store } from '../../src/store/store.js'
import { createClock } from '../helper/clock.js'
import type { TransportHarness } from './harness.js'

/** Handshakes against someone who can write to the store (SECURITY.md). */
export function challengeSuite(t: Test, harness: TransportHarness): void {
  const { transport, openStore, startGateway, refusedUnsigned } = harness

  /** A gateway, and what it has put into the store for each challenge, oldest first. */
  async function startRecorded(t: Test) {
    const clock = createClock()
    const { store } = await openStore(t, clock.now)
    const kept: { token: string; text: string }[] = []
    const challenges: Store['challenges'] = {
      ...store.challenges,
      put(token, text, lifeMs) {
        kept.push({ token, text })
        return store.challenges.put(token, text, lifeMs)
      }
    }
    const gateway = await startGateway(t, { store: { ...store, challenges }, clock })
    return { clock, store, gateway, kept }
  }

  t.test('a used challenge that is put back under another binding replays no recorded handshake', async t => {
    const { store, gateway, kept } = await startRecorded(t)
    const credential = await gateway.createClient()
    const recorded = await gateway.wire()
    const frame = recorded.authenticateFrame(credential)
    recorded.raw(frame)
    await recorded.next('welcome')
    const bindingOf = (text = '') => text.slice(text.lastIndexOf(' ') + 1)
    const [used] = kept
    const forgeries = {
      "the other challenge's text": (other: string) => other,
      "the other challenge's binding": (other: string) => used?.text.replace(bindingOf(used.text), bindingOf(other)),
      'a binding alone': (other: string) => bindingOf(other),
      nothing: () => ''
    }
    for (const [name, forge] of Object.entries(forgeries)) {
      await t.test(name, async t => {
        const wire = await gateway.wire()
        const text = forge(kept.at(-1)?.text ?? '') ?? ''
        // On the bridge every challenge has the same binding, so that this is the unchanged text.
        if (transport === 'bridge' && text === used?.text) return
        await store.challenges.put(used?.token ?? '', text, 60_000)
        wire.raw(frame)
        await refusedUnsigned(t, wire, 'AUTHENTICATION_FAILED')
      })
    }
  })

  t.test('a used challenge that is put back after its time replays no recorded handshake', async t => {
    const { clock, store, gateway, kept } = await startRecorded(t)
    const credential = await gateway.createClient()
    const recorded = await gateway.wire()
    const frame = recorded.authenticateFrame(credential)
    recorded.raw(frame)
    await recorded.next('welcome')
    clock.advance(60_001)
    const [used] = kept
    const text = used?.text ?? ''
    for (const put of [text, text.replace(/^\d+/, String(clock.now())), text.replace(/^\d+/, '9'.repeat(400))]) {
      await store.challenges.put(used?.token ?? '', put, 60_000)
      const wire = await gateway.wire()
      wire.raw(frame)
      await refusedUnsigned(t, wire, 'AUTHENTICATION_FAILED')
    }
  })
}
