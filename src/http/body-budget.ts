/**
 * Bounds the bytes of request bodies that this process holds at once: in total, for each owner, and for all requests
 * that are not verified. A body reserves its bytes before they are read, so a body that never ends uses its own
 * sender's share only.
 */
export interface BodyBudget {
  /** Bytes reserved now. */
  readonly reservedBytes: number
  readonly maxBytes: number
  /** @returns undefined if the owner or the process has no capacity left */
  reserve(owner: BodyOwner, bytes: number): BodyReservation | undefined
}

export interface BodyOwner {
  /** Owner that the bytes count for: a client, a token, or an address. */
  readonly key: string
  /** Whether the request belongs to a live session or has a valid token. */
  readonly isVerified: boolean
}

export interface BodyReservation {
  /** Reserves more. @returns whether there was capacity */
  grow(bytes: number): boolean
  /** Releases the bytes. Further calls have no effect. */
  release(): void
}

/** Share of the total that one owner may hold; one body of any size is always allowed. */
export const ownerShare = 1 / 8
/** Share of the total that all unverified requests may hold together. */
export const unverifiedShare = 1 / 2

/** @param maxBytes  bytes of all bodies together */
export function createBodyBudget(maxBytes: number): BodyBudget {
  const heldByOwner = new Map<string, number>()
  let total = 0
  let unverified = 0

  function add({ key, isVerified }: BodyOwner, bytes: number): void {
    total += bytes
    if (!isVerified) unverified += bytes
    const held = (heldByOwner.get(key) ?? 0) + bytes
    if (held === 0) heldByOwner.delete(key)
    else heldByOwner.set(key, held)
  }

  /** @param own  bytes that the same body holds already */
  function hasCapacity({ key, isVerified }: BodyOwner, bytes: number, own: number): boolean {
    if (total + bytes > maxBytes) return false
    if (!isVerified && unverified + bytes > maxBytes * unverifiedShare) return false
    const held = heldByOwner.get(key) ?? 0
    return held === own || held + bytes <= maxBytes * ownerShare
  }

  return {
    get reservedBytes() {
      return total
    },
    maxBytes,
    reserve(owner, bytes) {
      if (!hasCapacity(owner, bytes, 0)) return undefined
      let own = bytes
      add(owner, bytes)
      return {
        grow(more) {
          if (!hasCapacity(owner, more, own)) return false
          own += more
          add(owner, more)
          return true
        },
        release() {
          add(owner, -own)
          own = 0
        }
      }
    }
  }
}
