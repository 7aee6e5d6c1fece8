import type { CallStore } from '../store/calls.js'
import type { CallMac } from './call-id.js'
import type { Receiver } from './directory.js'
import { InstanceWatch, type LostCall } from './instance-watch.js'
import { type IncomingCall, readMail, writeMail } from './mailbox.js'
import type { CallOutcome } from './outcome.js'
import type { PendingCalls } from './pending-calls.js'
import { parseWaiter } from './waiter.js'

/** `full`: too many calls to the session are open, or its outbox is full. Only `delivered` changes anything. */
export type Delivered = 'delivered' | 'full' | 'missing'

/** The sessions of one transport as receivers of calls. */
export interface CallReceivers {
  /** @throws StoreUnavailable */
  deliver(call: IncomingCall): Delivered | Promise<Delivered>
}

/** Brings outcomes to callers that any instance may serve. */
export interface OutcomeReceivers {
  /** @param re  seq of the call. Has no effect if the call already has its outcome. @throws StoreUnavailable */
  deliverOutcome(sessionId: string, re: number, outcome: CallOutcome): Promise<void>
}

export interface CallCarrierOptions {
  readonly instanceId: string
  readonly store: CallStore
  readonly isAlive: (instanceId: string) => Promise<boolean>
  readonly mac: CallMac
  readonly pending: PendingCalls
  /** Unix milliseconds of the clock that all instances share. */
  readonly now: () => number
  /** Called when a call of another instance could not be delivered here. */
  readonly onRefused: (call: IncomingCall, delivered: 'full' | 'missing') => Promise<void>
}

/** Carries calls to their receivers, and outcomes to the waiting callers, on this and on other instances. */
export class CallCarrier {
  readonly #options: CallCarrierOptions
  readonly #watch: InstanceWatch
  #connected: CallReceivers | undefined
  #polled: (CallReceivers & OutcomeReceivers) | undefined

  constructor(options: CallCarrierOptions) {
    this.#options = options
    this.#watch = new InstanceWatch(options.isAlive)
  }

  connect(connected: CallReceivers, polled: CallReceivers & OutcomeReceivers): void {
    this.#connected = connected
    this.#polled = polled
  }

  /** @throws StoreUnavailable */
  async deliver({ instanceId, transport }: Receiver, call: IncomingCall): Promise<Delivered> {
    const { store, mac, instanceId: own } = this.#options
    if (transport === 'bridge') return (await this.#polled?.deliver(call)) ?? 'missing'
    if (instanceId === own) return (await this.#connected?.deliver(call)) ?? 'missing'
    const wasSent = await store.send(instanceId, writeMail(mac, instanceId, { kind: 'call', call }))
    if (wasSent) this.#watch.add(call.callId, { instanceId, expiresAt: call.expiresAt, reply: call.reply })
    return wasSent ? 'delivered' : 'missing'
  }

  /** Sends an outcome to its waiters. @throws StoreUnavailable */
  async announce(waiters: readonly string[], outcome: CallOutcome): Promise<void> {
    await Promise.all(waiters.map(waiter => this.#announceTo(waiter, outcome)))
  }

  async #announceTo(text: string, outcome: CallOutcome): Promise<void> {
    const { store, mac, instanceId: own, pending } = this.#options
    const waiter = parseWaiter(text)
    if (waiter.kind === 'session') {
      await this.#polled?.deliverOutcome(waiter.sessionId, waiter.re, outcome)
      return
    }
    const { instanceId, number } = waiter
    if (instanceId === own) pending.resolve(number, outcome)
    else await store.send(instanceId, writeMail(mac, instanceId, { kind: 'outcome', waiter: number, outcome }))
  }

  /** Handles a text from another instance. @throws StoreUnavailable */
  async receive(text: string): Promise<void> {
    const { mac, instanceId, now, pending, onRefused } = this.#options
    const mail = readMail(mac, instanceId, text)
    if (mail?.kind === 'outcome') pending.resolve(mail.waiter, mail.outcome)
    if (mail?.kind !== 'call' || mail.call.expiresAt <= now()) return
    const delivered = (await this.#connected?.deliver(mail.call)) ?? 'missing'
    if (delivered !== 'delivered') await onRefused(mail.call, delivered)
  }

  /** Returns calls to instances that were lost since the last check, each once. @throws StoreUnavailable */
  lostCalls(): Promise<readonly LostCall[]> {
    return this.#watch.check(this.#options.now())
  }
}
