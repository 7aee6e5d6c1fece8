import { challengeSeconds } from '../protocol/limits.js'
import type { ChallengeStore } from '../store/store.js'

/**
 * What the store keeps of a challenge: when it was issued, and a signature over that, the token and the binding. So a
 * challenge that someone puts back into the store is good neither on another socket nor after its time.
 */

/** Signs stored challenges, with a key that only gateways of this store have. */
export interface ChallengeSigner {
  signChallenge(text: string): string
  hasSignedChallenge(text: string, signature: string): boolean
}

export interface StoredChallengeDependencies {
  readonly store: { readonly challenges: ChallengeStore }
  readonly registry: ChallengeSigner
  /** Unix milliseconds of the steady clock, which instances share. */
  readonly steadyNow: () => number
}

const lifeMs = challengeSeconds * 1000

/** `valid`, or why the challenge is not good, as the log shows it. */
export type ConsumedChallenge =
  | 'valid'
  | 'unknown challenge'
  | 'foreign challenge'
  | 'forged challenge'
  | 'late challenge'

function textOf(token: string, binding: string, issuedAt: number): string {
  return `${token} ${binding} ${issuedAt}`
}

/** @param binding  where it may be answered: a socket's id, or the bridge @throws StoreUnavailable */
export async function storeChallenge(
  { store, registry, steadyNow }: StoredChallengeDependencies,
  token: string,
  binding: string
): Promise<void> {
  const issuedAt = steadyNow()
  const signature = registry.signChallenge(textOf(token, binding, issuedAt))
  await store.challenges.put(token, `${issuedAt} ${signature} ${binding}`, lifeMs)
}

/** Consumes a challenge, whatever the outcome. @throws StoreUnavailable */
export async function consumeChallenge(
  { store, registry, steadyNow }: StoredChallengeDependencies,
  token: string,
  binding: string
): Promise<ConsumedChallenge> {
  const stored = await store.challenges.consume(token)
  if (stored === undefined) return 'unknown challenge'
  const [issuedText = '', signature = '', boundTo = ''] = stored.split(' ')
  const issuedAt = Number(issuedText)
  if (!registry.hasSignedChallenge(textOf(token, boundTo, issuedAt), signature)) return 'forged challenge'
  // Another instance may have issued it, whose clock may be ahead of this one's.
  if (Math.abs(steadyNow() - issuedAt) > lifeMs) return 'late challenge'
  return boundTo === binding ? 'valid' : 'foreign challenge'
}
