import type { ToPrimary, ToWorker } from './messages.js'
import { maxFailedStarts, restartDelayMs, stableMs } from './restarts.js'

/** Keeps a number of workers running. */

/** A child process that is or becomes a worker. */
export interface WorkerProcess {
  readonly pid: number
  send(message: ToWorker): void
  kill(signal: 'SIGTERM' | 'SIGKILL'): void
}

export interface WorkerListener {
  readonly received: (message: ToPrimary) => void
  /** It has ended, or could not be started. */
  readonly ended: (code: number | null, signal: string | null) => void
}

interface Lines {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  fatal(fields: object, message: string): void
}

export interface WorkerPoolOptions {
  readonly count: number
  /** @param number  1 to `count` */
  readonly spawn: (number: number, listener: WorkerListener) => WorkerProcess
  /** Input of a worker at its start. */
  readonly setup: (number: number) => ToWorker
  /** Messages that do not concern its state, such as metrics. */
  readonly received: (worker: WorkerProcess, message: ToPrimary) => void
  readonly ended: (pid: number) => void
  readonly log: Lines
  /** Milliseconds of a clock that never jumps. */
  readonly now: () => number
  readonly setTimer: (call: () => void, ms: number) => unknown
  readonly clearTimer: (timer: unknown) => void
}

type State = 'starting' | 'prepared' | 'serving' | 'ended'

/** A worker, across its replacements. */
interface Slot {
  readonly number: number
  state: State
  process?: WorkerProcess
  servingSince: number
  /** Successive ends soon after a start. */
  failures: number
  /** Why it could not start. */
  reason?: string
  restart?: unknown
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #slots: readonly Slot[]
  /** Whether prepared workers may listen. */
  #isOpen = false
  #isStopping = false
  #url = ''
  #replaced = 0
  /** Successive starts without a serving worker. */
  #failedStarts = 0
  /** Whether a worker had to be killed or ended with an error during the stop. */
  #stoppedBadly = false
  readonly #checks = new Set<() => void>()

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    this.#slots = Array.from({ length: options.count }, (_, i): Slot => {
      return { number: i + 1, state: 'ended', servingSince: 0, failures: 0 }
    })
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  get serving(): readonly WorkerProcess[] {
    return this.#slots.flatMap(({ state, process }) => (state === 'serving' && process ? [process] : []))
  }

  /** Workers that ended by themselves and were replaced. */
  get replaced(): number {
    return this.#replaced
  }

  /**
   * Starts the first worker and then the others, since a fault at the start would affect all. All begin to listen at
   * the same time: the first listener would otherwise get all early clients.
   * @returns the URL, or why the first worker did not start. An empty reason: the worker has written it itself
   */
  async start(): Promise<{ readonly url: string } | { readonly reason: string }> {
    const [first, ...others] = this.#slots
    if (first === undefined) throw new RangeError('a pool has at least one worker')
    this.#spawn(first)
    await this.#until(() => first.state !== 'starting')
    if (first.state === 'ended' || this.#isStopping) return { reason: first.reason ?? '' }
    for (const slot of others) this.#spawn(slot)
    await this.#until(() => others.every(({ state }) => state !== 'starting'))
    if (this.#isStopping) return { reason: '' }
    this.#isOpen = true
    for (const slot of this.#slots) if (slot.state === 'prepared') slot.process?.send({ type: 'listen' })
    await this.#until(() => this.#slots.every(({ state }) => state !== 'prepared') || this.#isStopping)
    return this.#url === '' ? { reason: first.reason ?? '' } : { url: this.#url }
  }

  /** Resolves when no worker serves and none can be started. */
  async failed(): Promise<void> {
    await this.#until(() => this.#hasGivenUp())
  }

  reload(): void {
    for (const { process } of this.#slots) process?.send({ type: 'reload' })
  }

  /** Drains all workers. @returns whether all of them ended in order */
  async stop(): Promise<boolean> {
    this.#isStopping = true
    for (const { restart, state, process } of this.#slots) {
      this.#options.clearTimer(restart)
      if (state === 'serving') process?.send({ type: 'stop' })
      // It does not listen to messages about its end yet.
      else process?.kill('SIGTERM')
    }
    await this.#until(() => this.#slots.every(({ state }) => state === 'ended'))
    return !this.#stoppedBadly
  }

  /** Kills all workers. */
  kill(): void {
    this.#isStopping = true
    for (const { restart, process } of this.#slots) {
      this.#options.clearTimer(restart)
      process?.kill('SIGKILL')
    }
  }

  #hasGivenUp(): boolean {
    const isIdle = this.#slots.every(({ state }) => state === 'ended' || state === 'starting')
    return this.#isOpen && isIdle && this.#failedStarts >= maxFailedStarts
  }

  #until(holds: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const check = () => {
        if (!holds()) return
        this.#checks.delete(check)
        resolve()
      }
      this.#checks.add(check)
      check()
    })
  }

  #change(slot: Slot, state: State): void {
    slot.state = state
    for (const check of [...this.#checks]) check()
  }

  #spawn(slot: Slot): void {
    slot.state = 'starting'
    delete slot.reason
    const process: WorkerProcess = this.#options.spawn(slot.number, {
      received: message => this.#received(slot, process, message),
      ended: (code, signal) => this.#ended(slot, process, code, signal)
    })
    slot.process = process
  }

  #received(slot: Slot, process: WorkerProcess, message: ToPrimary): void {
    switch (message.type) {
      case 'started':
        process.send(this.#options.setup(slot.number))
        break
      case 'prepared':
        if (this.#isOpen) process.send({ type: 'listen' })
        this.#change(slot, 'prepared')
        break
      case 'failed':
        slot.reason = message.reason
        break
      case 'listening':
        this.#serves(slot, process, message)
        break
      default:
        this.#options.received(process, message)
    }
  }

  #serves(slot: Slot, { pid }: WorkerProcess, { url, instanceId }: ToPrimary & { type: 'listening' }): void {
    this.#url = url
    this.#failedStarts = 0
    slot.servingSince = this.#options.now()
    this.#options.log.info({ worker: slot.number, workerPid: pid, instanceId }, 'a worker serves')
    this.#change(slot, 'serving')
  }

  #ended(slot: Slot, { pid }: WorkerProcess, code: number | null, signal: string | null): void {
    const { state, servingSince } = slot
    const { now, log } = this.#options
    delete slot.process
    this.#options.ended(pid)
    if (this.#isStopping) {
      // A worker that was starting has no handler of the signal.
      if (code !== 0 && state === 'serving') this.#stoppedBadly = true
      this.#change(slot, 'ended')
      return
    }
    const hasServed = state === 'serving'
    if (!hasServed) this.#failedStarts++
    slot.failures = hasServed && now() - servingSince >= stableMs ? 0 : slot.failures + 1
    // The first worker at the start: the gateway does not start.
    if (this.#isOpen || slot.number > 1) this.#schedule(slot, { workerPid: pid, code, signal })
    this.#change(slot, 'ended')
    if (this.#hasGivenUp()) log.fatal({}, `no worker serves, and the last ${maxFailedStarts} did not start: giving up`)
  }

  #schedule(slot: Slot, how: object): void {
    const { log, setTimer } = this.#options
    const { number, failures, reason } = slot
    const delayMs = restartDelayMs(failures)
    const fields = { worker: number, ...how, ...(reason === undefined ? {} : { reason }), delayMs }
    if (failures < loggedFailures) log.warn(fields, 'a worker ended: another one starts in its place')
    else if (failures === loggedFailures) {
      log.error(fields, 'a worker ends again and again: it is started every few seconds, without further lines')
    }
    this.#replaced++
    slot.restart = setTimer(() => this.#spawn(slot), delayMs)
  }
}

/** Successive ends that have a log line. */
const loggedFailures = 3
