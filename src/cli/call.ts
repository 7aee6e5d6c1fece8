import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { Invocation } from './command.js'
import { Failure, UsageError } from './errors.js'
import { type Answer, Refused } from './gateway.js'
import { isRecord, parseData, parseRecord } from './json.js'
import { clean, note, printJson, printLine } from './output.js'

/** `countersign call`. */

const defaultTimeoutMs = 10_000
/** The gateway may declare a timeout up to 2 s late, and the answer has to travel. */
const graceMs = 10_000

function textOfError(error: unknown): string {
  const { code, message } = isRecord(error) ? error : {}
  return `${clean(String(code))}: ${clean(String(message))}`
}

/** @returns the failure for a refusal, which states whether the method may have run */
function callFailure(refused: Refused): Failure {
  const { code, answer, message } = refused
  if (code === 'CALL_FAILED') return new Failure(`the receiver answered ${textOfError(answer['error'])}`)
  if (answer['outcome'] === 'unknown') return new Failure(`${message}; it may have run`)
  return code === 'RATE_LIMITED' ? new Failure(`${clean(String(answer['message']))} (${code})`) : refused
}

/** @throws UsageError */
function bodyOf({ args, options }: Invocation): object {
  const { toClient: clientId, toSession: sessionId, all, key, timeoutMs = defaultTimeoutMs } = options
  if ((clientId === undefined) === (sessionId === undefined)) {
    throw new UsageError('give one of --to-client and --to-session')
  }
  if (all && clientId === undefined) throw new UsageError('--all needs --to-client')
  const { method, data } = args
  return {
    to: sessionId === undefined ? { clientId, ...(all ? { all } : {}) } : { sessionId },
    ...{ method, timeoutMs },
    ...(data === undefined ? {} : { data: parseData(data) }),
    ...(key === undefined ? {} : { idempotencyKey: key })
  }
}

const shownData = ({ data }: Answer) => (data === undefined ? '-' : clean(JSON.stringify(data)))

const elapsedSince = (startedAt: number) => `${Math.round(performance.now() - startedAt)} ms`

async function callOne({ io, options, gateway }: Invocation, body: object, timeoutMs: number): Promise<number> {
  const startedAt = performance.now()
  const answer = await gateway.call('POST', '/v1/calls', body, { timeoutMs })
  await note(io, `${clean(String(answer['sessionId']))} answered in ${elapsedSince(startedAt)}`)
  if (options.json) await printJson(io, answer)
  else await printLine(io, shownData(answer))
  return 0
}

/** Prints one line of the answers of all sessions. @returns whether it is a success */
async function printAnswer({ io, options }: Invocation, line: Answer, elapsed: string): Promise<boolean> {
  const { sessionId, error, done } = line
  if (done === true) {
    const { answered, missing, truncated } = line
    const rest = truncated === undefined ? '' : `; ${truncated} more sessions were not called`
    await note(io, `${answered} answered, ${missing} did not${rest}`)
    return missing === 0 && truncated === undefined
  }
  if (!options.json) {
    const shown = error === undefined ? shownData(line) : textOfError(error)
    await printLine(io, `${clean(String(sessionId))}  ${elapsed}  ${shown}`)
  }
  return error === undefined
}

/** @throws Failure */
function answerOf(text: string): Answer {
  const line = parseRecord(text)
  if (line !== undefined) return line
  throw new Failure('the answer of the gateway holds a line that is no JSON object: is it another version?')
}

async function callAll(invocation: Invocation, body: object, timeoutMs: number): Promise<number> {
  const { io, options, gateway } = invocation
  const startedAt = performance.now()
  const pieces = await gateway.stream('/v1/calls', { timeoutMs, method: 'POST', body })
  const lines = createInterface({ input: Readable.from(pieces), crlfDelay: Number.POSITIVE_INFINITY })
  let isGood = true
  let isDone = false
  for await (const text of lines) {
    const line = answerOf(text)
    if (options.json) await printLine(io, text)
    isDone = line['done'] === true
    isGood = (await printAnswer(invocation, line, elapsedSince(startedAt))) && isGood
  }
  if (!isDone) throw new Failure('the answer ended early: some sessions may have run it')
  return isGood ? 0 : 1
}

/** @returns the exit code */
export async function call(invocation: Invocation): Promise<number> {
  const { all, timeoutMs = defaultTimeoutMs } = invocation.options
  const body = bodyOf(invocation)
  try {
    return await (all ? callAll : callOne)(invocation, body, timeoutMs + graceMs)
  } catch (error) {
    throw error instanceof Refused ? callFailure(error) : error
  }
}
