import { answerCall } from '../calls/answer.js'
import type { CallResult } from '../calls/outcome.js'
import { tooManyOpenCalls } from '../calls/outcome.js'
import type { CallRequest } from '../calls/request.js'
import type { SessionCalls } from '../session/calls.js'
import type { SessionDependencies } from '../session/dependencies.js'
import type { AwaitedCall } from '../store/bridge.js'
import type { PendingCommit } from './pending-commit.js'
import type { RegisteredCall } from './polled-calls.js'
import type { BridgeSession } from './session.js'

/** The calls of a bridge session while one batch runs. A call is sent once the session's commit includes it. */
export class BatchCalls implements SessionCalls {
  readonly #dependencies: SessionDependencies
  readonly #session: BridgeSession
  readonly made: RegisteredCall[] = []
  readonly #answered: string[] = []

  constructor(dependencies: SessionDependencies, session: BridgeSession) {
    this.#dependencies = dependencies
    this.#session = session
  }

  /** Calls to the session that the batch answers; undefined: none. */
  get answered(): PendingCommit['answeredCalls'] {
    return this.#answered.length === 0 ? undefined : this.#answered
  }

  /** The calls that the batch makes; undefined: none. */
  get awaited(): PendingCommit['awaited'] {
    if (this.made.length === 0) return undefined
    return new Map<number, AwaitedCall>(
      this.made.map(({ seq, request: { recordId, digest, expiresAt: deadline } }) => [
        seq,
        { recordId, digest, deadline }
      ])
    )
  }

  make(seq: number, request: CallRequest): void {
    const { openCalls } = this.#dependencies.settings.limits
    if (this.#session.state.current.awaited.size + this.made.length >= openCalls) {
      throw tooManyOpenCalls(openCalls)
    }
    this.made.push({ seq, request })
  }

  async answer(callId: string, result: CallResult): Promise<boolean> {
    const isExpired = await answerCall(this.#dependencies.calls, this.#session.peer.sessionId, callId, result)
    this.#answered.push(callId)
    return isExpired
  }
}
