import { challengeTokenBytes } from '../auth/challenge-token.js'
import { findUsableCredential } from '../auth/credential.js'
import {
  answerFreshChallenge,
  type FreshChallengeState,
  isChallengeDue,
  isChallengeOverdue,
  issueFreshChallenge,
  scheduleChallenge
} from '../auth/fresh-challenge.js'
import type { EndingCode } from '../protocol/codes.js'
import { challengeSeconds, pingAfterSeconds } from '../protocol/limits.js'
import { reportBackgroundFailure } from './background-failure.js'
import type { Log, SessionDependencies } from './dependencies.js'
import type { Outgoing } from './outbox.js'
import { revalidateSession } from './revalidation.js'
import type { LiveSession, TickTimes } from './session-source.js'

/** The session to challenge and ping. */
export interface ChallengedSession extends LiveSession {
  /** Unix milliseconds of the steady clock. */
  readonly lastSeenAt: number
  /** Whether the client has its welcome, and the session has not ended. */
  readonly welcomed: boolean
  readonly log: Log
  send(message: Outgoing): void
  end(code: EndingCode, message?: string): void
}

/** Fresh challenges and pings of a session that one instance serves (PROTOCOL §6). */
export class SessionChallenges {
  readonly #dependencies: Pick<SessionDependencies, 'registry' | 'randomText' | 'steadyNow' | 'now' | 'boundedLog'>
  readonly #intervalMs: number
  readonly #session: ChallengedSession
  #state: FreshChallengeState
  #isIssuing = false
  readonly #pingAfterMs: number
  /** The `lastSeenAt` that a ping was sent for: one ping is outstanding at a time. */
  #pingedFor: number | undefined

  constructor(dependencies: SessionDependencies, session: ChallengedSession) {
    this.#dependencies = dependencies
    this.#intervalMs = dependencies.settings.freshChallengeMs
    this.#pingAfterMs = (dependencies.settings.heartbeatIntervalSeconds + pingAfterSeconds) * 1000
    this.#session = session
    this.#state = scheduleChallenge(dependencies.steadyNow(), this.#intervalMs)
  }

  /** Closes the open challenge. @returns whether the answer was correct */
  answer(challengeToken: string, challengeSignature: string): boolean {
    const at = this.#dependencies.steadyNow()
    const answer = answerFreshChallenge(this.#state, challengeToken, challengeSignature, at, this.#intervalMs)
    this.#state = answer.state
    return answer.isCorrect
  }

  /** Browsers throttle the timers of hidden pages, so a client's own heartbeat may be late (PROTOCOL §6.1). */
  #pingIfSilent(steadyNow: number): void {
    const { lastSeenAt, welcomed } = this.#session
    if (!welcomed || steadyNow < lastSeenAt + this.#pingAfterMs || this.#pingedFor === lastSeenAt) return
    this.#pingedFor = lastSeenAt
    this.#session.send({ type: 'ping' })
  }

  /** Pings a silent client. Ends the session if its challenge is overdue, and sends the next one when it is due. */
  tick({ steadyNow, isGracePeriod }: Pick<TickTimes, 'steadyNow' | 'isGracePeriod'>): void {
    this.#pingIfSilent(steadyNow)
    if (isChallengeOverdue(this.#state, steadyNow) && !isGracePeriod) {
      this.#session.end('HEARTBEAT_LOST', 'a challenge was not answered in time')
    } else if (isChallengeDue(this.#state, steadyNow, this.#intervalMs) && !this.#isIssuing) {
      this.#isIssuing = true
      this.#issue()
        .catch((error: unknown) => {
          this.#state = scheduleChallenge(this.#dependencies.steadyNow(), this.#intervalMs)
          const skipped = 'skipped a fresh challenge: could not read the credential'
          reportBackgroundFailure(this.#dependencies, 'challenges', error, this.#session.log, skipped)
        })
        .finally(() => {
          this.#isIssuing = false
        })
    }
  }

  async #issue(): Promise<void> {
    const { registry, randomText, steadyNow } = this.#dependencies
    const credential = await findUsableCredential(registry, this.#session.peer)
    if (credential === undefined) {
      await revalidateSession(this.#dependencies, this.#session)
      return
    }
    const challengeToken = randomText(challengeTokenBytes)
    this.#state = issueFreshChallenge(challengeToken, credential.secret, steadyNow(), this.#intervalMs)
    this.#session.send({ type: 'challenge', challengeToken, expiresIn: challengeSeconds })
  }
}
