import type { Registry } from '../registry/index.js'
import { reportBackgroundFailure } from '../session/background-failure.js'
import type { Log, SessionDependencies } from '../session/dependencies.js'
import { revalidateSessions } from '../session/revalidation.js'
import type { SessionRegistry } from '../session/session-registry.js'
import type { ChangeEvent } from '../store/change-event.js'
import type { AuditHead, DurableStore } from '../store/store.js'

/** Change events that one read returns. */
const changeBatch = 500

export interface RevocationWatcherOptions {
  readonly durable: Pick<DurableStore, 'auditHead' | 'auditAfter' | 'changesAfter' | 'onChange'>
  readonly registry: Pick<Registry, 'clients' | 'tickets'>
  readonly sessions: Pick<SessionRegistry, 'ofClient' | 'clientIds' | 'revoke'>
  /** Called when the store turns out to be older than the state that this instance has seen. */
  readonly onRewound: () => void
  readonly log: Pick<Log, 'warn'>
  readonly boundedLog: SessionDependencies['boundedLog']
  /** Unix milliseconds. */
  readonly now: () => number
}

/**
 * Reads change events from the durable store and revalidates the sessions of changed clients. Signals only speed this
 * up: events are numbered and kept, so a lost signal delays a revocation until the next tick.
 */
export class RevocationWatcher {
  readonly #options: RevocationWatcherOptions
  readonly #stopListening: () => void
  /** The audit log's number of the last event that was handled. */
  #handledSeq = 0
  /** The audit log's head at the previous check. */
  #previousHead: AuditHead | undefined
  #checking: Promise<void> | undefined
  #mustCheckAgain = false

  constructor(options: RevocationWatcherOptions) {
    this.#options = options
    this.#stopListening = options.durable.onChange(() => {
      this.check().catch((error: unknown) =>
        reportBackgroundFailure(options, 'upkeep', error, options.log, 'could not read change events')
      )
    })
  }

  /** Stops listening for change signals. */
  stop(): void {
    this.#stopListening()
  }

  /**
   * Handles all change events since the previous check; the first check only records the end of the log. One check runs
   * at a time. A call during one starts another after it, and resolves with it.
   * @throws StoreUnavailable
   */
  check(): Promise<void> {
    this.#mustCheckAgain = this.#checking !== undefined
    this.#checking ??= this.#checkUntilCurrent().finally(() => {
      this.#checking = undefined
    })
    return this.#checking
  }

  async #checkUntilCurrent(): Promise<void> {
    do {
      this.#mustCheckAgain = false
      await this.#checkOnce()
    } while (this.#mustCheckAgain)
  }

  async #checkOnce(): Promise<void> {
    const head = await this.#options.durable.auditHead()
    if (this.#previousHead === undefined) this.#handledSeq = head.seq
    else if (!(await this.#contains(this.#previousHead))) await this.#handleRewind(this.#previousHead, head)
    this.#previousHead = head
    await this.#handleChanges()
  }

  /** Whether the entry that was the log's head is still at its place in the log. */
  async #contains({ seq, hash }: AuditHead): Promise<boolean> {
    if (seq === 0) return true
    const [entry] = await this.#options.durable.auditAfter(seq - 1, 1)
    return entry?.text.includes(hash) === true
  }

  /** A rewound store reuses event numbers: changes may hide below the last one handled, so every client is revalidated. */
  async #handleRewind(previous: AuditHead, head: AuditHead): Promise<void> {
    const { log, sessions, onRewound } = this.#options
    log.warn({ previousSeq: previous.seq, seq: head.seq }, 'the store was rewound: revalidating all sessions')
    onRewound()
    for (const clientId of sessions.clientIds()) await this.#revalidateClient(clientId, false)
    this.#handledSeq = head.seq
  }

  async #handleChanges(): Promise<void> {
    for (;;) {
      const changes = await this.#options.durable.changesAfter(this.#handledSeq, changeBatch)
      for (const { event, seq } of changes) {
        if (event !== undefined) await this.#handleChange(event)
        this.#handledSeq = seq
      }
      if (changes.length < changeBatch) return
    }
  }

  async #handleChange({ kind, id }: ChangeEvent): Promise<void> {
    if (kind === 'session') this.#options.sessions.revoke(id)
    else await this.#revalidateClient(id, kind === 'client')
  }

  async #revalidateClient(clientId: string, clientChanged: boolean): Promise<void> {
    const sessions = this.#options.sessions.ofClient(clientId)
    if (sessions.length > 0) await revalidateSessions(this.#options, clientId, sessions, clientChanged)
  }
}
