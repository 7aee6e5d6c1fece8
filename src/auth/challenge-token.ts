import { challengeSeconds } from '../protocol/limits.js'
import { constantTimeEqual } from '../protocol/mac.js'
import type { ChallengeStore } from '../store/store.js'

/**
 * Challenges that are not stored. A token carries the time of its issue and a keyed hash, so any instance of the store
 * can check it, and a flood of started handshakes takes no memory. The store only keeps marks of used challenges.
 *
 * A token is 32 bytes: 10 random ones; the time of issue and whether it is for a socket, in 6 bytes, masked, so that the
 * whole looks random; and 16 bytes of an HMAC-SHA-256 over these and the store's fence. A socket keeps its own token.
 */

/** Hashes tokens and ids that handshakes issue, under a key that only gateways of this store have. */
export interface HandshakeHasher {
  /** Keyed hashes (HMAC-SHA-256) of a text, one for each master key; the first one is that of the current key. */
  hashHandshake(text: string): readonly Uint8Array[]
}

export interface ChallengeDependencies {
  readonly store: { readonly challenges: ChallengeStore }
  readonly registry: HandshakeHasher
  /** Unix milliseconds of the steady clock, which instances share. */
  readonly steadyNow: () => number
  /** Returns this number of random bytes in base64url. */
  readonly randomText: (bytes: number) => string
}

/** Bytes of a token, which has 43 base64url characters. */
export const challengeTokenBytes = 32
const randomBytes = 10
const headBytes = 6
const hashBytes = 16

const lifeMs = challengeSeconds * 1000
/** How far the steady clocks of two instances may differ, in milliseconds. */
export const clockToleranceMs = 5000
/** Life of a mark: until every instance rejects the challenge as expired, whatever its clock. */
export const usedMarkLifeMs = lifeMs + 2 * clockToleranceMs

/**
 * Why a challenge is refused, as the log shows it. `unknown`: no gateway of this store issued it. `foreign`: it was
 * issued for another socket, or for the other transport.
 */
export type ChallengeFault = 'unknown challenge' | 'foreign challenge' | 'late challenge'

/** A challenge that a gateway of this store issued and that may not have been used. */
export interface IssuedChallenge {
  readonly token: string
  readonly fence: string
}

export interface CheckedChallenge {
  /** Absent: the challenge is valid, unless it was used before. */
  readonly fault?: ChallengeFault
  /** Absent: there is nothing to consume. */
  readonly issued?: IssuedChallenge
}

function maskText(random: string): string {
  return `time ${random}`
}

function hashedText(random: string, head: number, fence: string): string {
  return `challenge ${random} ${head} ${fence}`
}

/** The time of issue in unix milliseconds, and in the lowest bit whether the challenge is for a socket. */
function headOf(issuedAt: number, isForSocket: boolean): number {
  return 2 * issuedAt + (isForSocket ? 1 : 0)
}

/** XOR with the mask of a token's random part; it is its own inverse. */
function maskHead(head: Uint8Array, mask: Uint8Array | undefined): Uint8Array {
  return head.map((byte, i) => byte ^ (mask?.[i] ?? 0))
}

/**
 * Issues a challenge. It costs one read of the fence, which concurrent callers share.
 * @param isForSocket  true: answered only on the socket that it is sent to; false: answered on the bridge
 * @returns 43 base64url characters
 * @throws StoreUnavailable
 */
export async function issueChallengeToken(
  { store, registry, steadyNow, randomText }: ChallengeDependencies,
  isForSocket: boolean
): Promise<string> {
  const fence = await store.challenges.fence()
  const random = randomText(randomBytes)
  const head = headOf(steadyNow(), isForSocket)
  const bytes = Buffer.alloc(headBytes)
  bytes.writeUIntBE(head, 0, headBytes)
  const [mask] = registry.hashHandshake(maskText(random))
  const [hash = new Uint8Array()] = registry.hashHandshake(hashedText(random, head, fence))
  const parts = [Buffer.from(random, 'base64url'), maskHead(bytes, mask), hash.subarray(0, hashBytes)]
  return Buffer.concat(parts).toString('base64url')
}

/**
 * Checks the age of a challenge and the transport that it was issued for.
 * @param ownToken  the token that was sent to the socket of the answer; undefined: it was answered on the bridge
 * @throws StoreUnavailable
 */
export async function checkChallenge(
  dependencies: ChallengeDependencies,
  token: string,
  ownToken: string | undefined
): Promise<CheckedChallenge> {
  const fence = await dependencies.store.challenges.fence()
  const head = readHead(dependencies.registry, token, fence)
  if (head === undefined) return { fault: 'unknown challenge' }
  const issuedAt = Math.floor(head / 2)
  // Another instance may have issued it, whose clock may be ahead of this one's.
  const ageMs = dependencies.steadyNow() - issuedAt
  if (ageMs > lifeMs || ageMs < -clockToleranceMs) return { fault: 'late challenge' }
  const issued = { token, fence }
  const isForSocket = head % 2 === 1
  const isHere = isForSocket ? token === ownToken : ownToken === undefined
  return isHere ? { issued } : { fault: 'foreign challenge', issued }
}

/** @returns undefined if the token was not issued under this fence */
function readHead(registry: HandshakeHasher, token: string, fence: string): number | undefined {
  const bytes = Buffer.from(token, 'base64url')
  // One spelling only: the store knows a used challenge by its text.
  if (bytes.length !== challengeTokenBytes || bytes.toString('base64url') !== token) return undefined
  const random = bytes.toString('base64url', 0, randomBytes)
  const masked = bytes.subarray(randomBytes, randomBytes + headBytes)
  const hash = bytes.toString('hex', randomBytes + headBytes)
  let found: number | undefined
  for (const [i, mask] of registry.hashHandshake(maskText(random)).entries()) {
    const head = Buffer.from(maskHead(masked, mask)).readUIntBE(0, headBytes)
    const expected = registry.hashHandshake(hashedText(random, head, fence))[i]
    const expectedHex = Buffer.from(expected ?? []).toString('hex', 0, hashBytes)
    if (constantTimeEqual(expectedHex, hash)) found = head
  }
  return found
}

/**
 * Consumes a challenge. Of all attempts, on any instance, one succeeds.
 * @returns false if it was used before
 * @throws StoreUnavailable
 */
export function consumeChallenge(
  { store }: Pick<ChallengeDependencies, 'store'>,
  { token, fence }: IssuedChallenge
): Promise<boolean> {
  return store.challenges.use(token, fence, usedMarkLifeMs)
}
