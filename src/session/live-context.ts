import type { Capabilities } from '../auth/capabilities.js'
import type { Peer } from '../auth/peer.js'
import type { Attributes } from '../protocol/messages.js'
import type { SessionDependencies } from './dependencies.js'
import type { HandlerContext } from './handlers/handler.js'
import { type LicenseSlots, TrackedLicenseSlots } from './license-slots.js'
import { type CallsOwner, LiveCalls } from './live-calls.js'
import type { LiveSubscriptions } from './live-subscriptions.js'

/** The session that handlers serve. */
export interface ContextOwner extends CallsOwner {
  /** Unix milliseconds. */
  readonly expiresAt: number
  answerChallenge(challengeToken: string, challengeSignature: string): boolean
}

/**
 * The part of one live session that its handlers may read and change. Most sessions are idle, so rarely needed parts
 * are created at their first use.
 */
export class LiveContext implements HandlerContext {
  readonly dependencies: SessionDependencies
  readonly subscriptions: LiveSubscriptions
  readonly mayRunAgain = false
  readonly #owner: ContextOwner
  #peer: Peer
  #licenseSlots: LicenseSlots | undefined
  #calls: LiveCalls | undefined

  constructor(dependencies: SessionDependencies, subscriptions: LiveSubscriptions, owner: ContextOwner, peer: Peer) {
    this.dependencies = dependencies
    this.subscriptions = subscriptions
    this.#owner = owner
    this.#peer = peer
  }

  get peer(): Peer {
    return this.#peer
  }

  narrowCapabilities(capabilities: Capabilities): void {
    this.#peer = { ...this.#peer, capabilities }
    this.subscriptions.narrow(this.#peer)
  }

  changeAttributes(attributes: Attributes): void {
    this.#peer = { ...this.#peer, attributes }
  }

  get licenseSlots(): LicenseSlots {
    const { store, now } = this.dependencies
    this.#licenseSlots ??= new TrackedLicenseSlots(store.licenseSlots, {
      sessionId: this.#peer.sessionId,
      endsAt: this.#owner.expiresAt,
      hasEnded: () => this.#owner.ended,
      now
    })
    return this.#licenseSlots
  }

  /** Releases all slots when the session ends. @throws StoreUnavailable */
  async releaseLicenseSlots(): Promise<void> {
    await this.#licenseSlots?.releaseAll()
  }

  get calls(): LiveCalls {
    const { calls, settings } = this.dependencies
    this.#calls ??= new LiveCalls(calls, this.#owner, settings.limits.openCalls)
    return this.#calls
  }

  listBytes(): number {
    return this.dependencies.settings.limits.listBytes
  }

  answerChallenge(challengeToken: string, challengeSignature: string): boolean {
    return this.#owner.answerChallenge(challengeToken, challengeSignature)
  }

  /** Called about once a second. */
  tick(): void {
    this.#calls?.tick()
  }

  /** The session has ended. */
  close(): void {
    this.subscriptions.close()
    this.#calls?.close()
  }
}
