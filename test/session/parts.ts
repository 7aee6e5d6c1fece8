import type { Capabilities } from '../../src/auth/capabilities.js'
import type { Peer } from '../../src/auth/peer.js'
import type { LiveSession, SessionSource } from '../../src/session/session-source.js'
import type { Transport } from '../../src/session/transport.js'

/** A transport that never drains what is sent to it. */
export function stuckTransport(bytes: number, frames: number) {
  const sent: string[] = []
  const closed: [number, string][] = []
  const transport: Transport = {
    name: 'ws',
    bufferedBytes: bytes,
    bufferedFrames: frames,
    send: frame => void sent.push(frame),
    close: (code, reason) => void closed.push([code, reason]),
    pause() {},
    resume() {}
  }
  return { transport, sent, closed }
}

export const keys = { clientKey: Buffer.alloc(32, 1), serverKey: Buffer.alloc(32, 2) }

export const peer = {
  ...{ sessionId: 's', clientId: 'c', keyId: 'k', attributes: {}, remoteAddress: '::1' },
  capabilities: { subscribe: [], publish: [], services: ['*'], call: [], presence: [] }
}

/** A live session that records what it is asked to do. */
export function fakeSession(sessionId: string, clientId: string, subscribe: readonly string[] = []): FakeSession {
  const capabilities: Capabilities = { subscribe, publish: [], services: [], call: [], presence: [] }
  return {
    peer: { ...peer, sessionId, clientId, capabilities },
    expiresAt: Number.MAX_SAFE_INTEGER,
    ended: [],
    expireAt(at) {
      this.expiresAt = at
    },
    narrowCapabilities(narrower) {
      this.peer = { ...this.peer, capabilities: narrower }
    },
    end(code) {
      this.ended.push(code)
    }
  }
}

export interface FakeSession extends LiveSession {
  peer: Peer
  expiresAt: number
  /** Codes that `end` was called with. */
  readonly ended: string[]
}

export interface FakeSource extends SessionSource {
  /** The calls that change something, in order. */
  readonly calls: string[]
}

/** A source with fixed sessions. A session is served here if it is among them. */
export function fakeSource(transport: 'ws' | 'bridge', sessions: readonly FakeSession[]): FakeSource {
  const calls: string[] = []
  return {
    transport,
    calls,
    ofClient: clientId => sessions.filter(session => session.peer.clientId === clientId),
    clientIds: () => sessions.map(session => session.peer.clientId),
    revoke(sessionId) {
      const session = sessions.find(each => each.peer.sessionId === sessionId)
      if (session === undefined) calls.push(`revoke ${sessionId}`)
      session?.end('SESSION_REVOKED')
      return session !== undefined
    },
    heartbeatsSince: () => sessions.map(session => ({ sessionId: session.peer.sessionId, deadline: 1 })),
    presenceSince: () =>
      sessions.map(({ peer: { sessionId, clientId } }) => ({ channel: 'c', sessionId, clientId, deadline: 1 })),
    async expire({ sessionId }) {
      calls.push(`expire ${sessionId}`)
      return sessions.some(session => session.peer.sessionId === sessionId)
    },
    async reregister() {
      calls.push('reregister')
    },
    tick: () => void calls.push('tick')
  }
}
