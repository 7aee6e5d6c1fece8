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
  capabilities: { subscribe: [], publish: [], services: ['*'] }
}
