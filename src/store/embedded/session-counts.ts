import { noCounts, type SessionCounts } from '../ephemeral.js'

/** Traffic of the sessions of this process. */
export class EmbeddedSessionCounts {
  readonly #counts = new Map<string, SessionCounts>()

  add(sessionId: string, { frames, bytes, refused }: SessionCounts): void {
    const before = this.of(sessionId)
    this.#counts.set(sessionId, {
      frames: before.frames + frames,
      bytes: before.bytes + bytes,
      refused: before.refused + refused
    })
  }

  of(sessionId: string): SessionCounts {
    return this.#counts.get(sessionId) ?? noCounts
  }

  delete(sessionId: string): void {
    this.#counts.delete(sessionId)
  }

  /** Ids of the sessions with the most frames, in descending order. */
  topIds(limit: number): readonly string[] {
    const byFrames = [...this.#counts].sort(([, a], [, b]) => b.frames - a.frames)
    return byFrames.slice(0, limit).map(([sessionId]) => sessionId)
  }
}
