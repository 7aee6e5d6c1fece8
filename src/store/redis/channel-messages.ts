import type { StoredPublication } from '../channels.js'

export interface PublicationNotification {
  readonly epoch: string
  readonly publication: StoredPublication
}

/** Reads `offset:unix ms:epoch:data`, see scripts/channel-publish.lua. */
export function parsePublication(message: string): PublicationNotification {
  const first = message.indexOf(':')
  const second = message.indexOf(':', first + 1)
  const third = message.indexOf(':', second + 1)
  const offset = Number(message.slice(0, first))
  const publishedAt = Number(message.slice(first + 1, second))
  return {
    epoch: message.slice(second + 1, third),
    publication: { offset, data: message.slice(third + 1), publishedAt }
  }
}

/** Reads entries `unix ms:data`. @param top  the offset of the newest */
export function parseHistory(entries: readonly string[], top: number): StoredPublication[] {
  return entries.map((entry, i) => {
    const end = entry.indexOf(':')
    return {
      offset: top - entries.length + 1 + i,
      data: entry.slice(end + 1),
      publishedAt: Number(entry.slice(0, end))
    }
  })
}
