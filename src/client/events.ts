/** Events for the application, kept apart from the client's own state. */

/** Events that are reported even if an earlier listener closes the client: they change lasting state. */
const lasting: readonly unknown[] = ['state', 'error', 'missed', 'unsubscribed']

interface Queued {
  readonly call: () => void
  readonly isLasting: boolean
  readonly onDropped: (() => void) | undefined
}

/**
 * Calls listeners and handlers after the client's own work: within {@link run} they are queued until its end. So a
 * listener that throws, or calls the client, finds the client in a consistent state.
 */
export class Dispatcher {
  #queue: Queued[] = []
  #depth = 0
  #isDraining = false

  /** Runs the client's own work. */
  run<T>(work: () => T): T {
    this.#depth++
    try {
      return work()
    } finally {
      this.#depth--
      this.#drain()
    }
  }

  /** @param call       must not throw
   *  @param onDropped  called by {@link discard} instead
   *  @param isLasting  survives {@link discard} */
  push(call: () => void, onDropped?: () => void, isLasting = false): void {
    this.#queue.push({ call, onDropped, isLasting })
    this.#drain()
  }

  /** Drops the queue, the newest call first: the client was closed. */
  discard(): void {
    const queue = this.#queue
    this.#queue = queue.filter(({ isLasting }) => isLasting)
    for (const { isLasting, onDropped } of queue.reverse()) if (!isLasting) onDropped?.()
  }

  #drain(): void {
    if (this.#isDraining || this.#depth > 0) return
    this.#isDraining = true
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) next.call()
    this.#isDraining = false
  }
}

/** Called with an error thrown by an application's function. `source`: `listener:state`, `channel:chat`. */
export type ReportFault = (error: unknown, source: string) => void

/** Calls a function of the application. Its errors and rejections are reported and have no other effect. */
export function callSafely(call: () => unknown, report: (error: unknown) => void): void {
  try {
    const result = call()
    if (result instanceof Promise) result.catch(report)
  } catch (error) {
    report(error)
  }
}

/** An error thrown by an application's listener or handler, and its source. */
export interface Fault {
  readonly error: unknown
  readonly source: string
}

/** A typed event emitter whose listeners can break neither the emitter nor each other. */
export abstract class Emitter<Events extends { [Name in keyof Events]: unknown } & { error: Fault }> {
  /** By event: what to call, and the listener that was given. */
  readonly #listeners: ReadonlyMap<keyof Events, Map<(event: never) => unknown, unknown>>
  protected readonly dispatcher = new Dispatcher()

  constructor(names: readonly (keyof Events)[]) {
    this.#listeners = new Map(names.map(name => [name, new Map()]))
  }

  /** Reports a fault without an `error` listener. */
  protected abstract reportFault(error: unknown, source: string): void

  /** @returns a function that removes the listener. @throws TypeError for an event that there is not */
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => unknown): () => void {
    return this.#add(name, listener, listener)
  }

  /** Like {@link on}, for the next event only. */
  once<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => unknown): () => void {
    const call = (event: Events[Name]) => {
      off()
      return listener(event)
    }
    const off = this.#add(name, call, listener)
    return off
  }

  #add<Name extends keyof Events>(name: Name, call: (event: Events[Name]) => unknown, listener: unknown): () => void {
    const listeners = this.#listeners.get(name)
    if (listeners === undefined) {
      throw new TypeError(`no event ${String(name)}: there are ${[...this.#listeners.keys()].join(', ')}`)
    }
    listeners.set(call, listener)
    return () => void listeners.delete(call)
  }

  /** Removes a listener that {@link on} or {@link once} has added. */
  off<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => unknown): void {
    const listeners = this.#listeners.get(name)
    for (const [call, given] of listeners ?? []) if (given === listener) listeners?.delete(call)
  }

  protected hasListeners(name: keyof Events): boolean {
    return (this.#listeners.get(name)?.size ?? 0) > 0
  }

  /** @param onDropped  called instead of the listeners if an earlier one closes the client */
  protected emit<Name extends keyof Events>(name: Name, event: Events[Name], onDropped?: () => void): void {
    if (this.hasListeners(name))
      this.dispatcher.push(() => this.#deliver(name, event), onDropped, lasting.includes(name))
  }

  #deliver<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    const listeners = this.#listeners.get(name)
    for (const listener of new Map(listeners).keys()) {
      // An earlier listener may remove it.
      if (listeners?.has(listener) !== true) continue
      callSafely(
        () => (listener as (event: Events[Name]) => unknown)(event),
        error => this.fault(error, `listener:${String(name)}`)
      )
    }
  }

  /** Reports an error of an application's function: to `error` listeners, or to the platform without any. */
  protected readonly fault: ReportFault = (error, source) => {
    if (this.hasListeners('error') && source !== 'listener:error')
      this.emit('error', { error, source } as Events['error'])
    else this.reportFault(error, source)
  }
}
