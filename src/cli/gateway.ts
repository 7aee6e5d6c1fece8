import { type Context, Failure, Interrupted, type Io } from './command.js'
import { findToken, findUrl, isLoopback, type Settings } from './locate.js'
import { clean, isRecord, note } from './output.js'

/** The running gateway, over HTTP. */

/** An answer of the gateway: an object of JSON; empty where it has no body. */
export type Answer = Readonly<Record<string, unknown>>

/** The gateway said no. */
export class Refused extends Failure {
  override readonly name = 'Refused'
  readonly status: number
  readonly code: string
  readonly index: number | undefined

  constructor(status: number, code: string, message: string, index: number | undefined) {
    super(message)
    this.status = status
    this.code = code
    this.index = index
  }
}

export interface CallOptions {
  /** What ends the call early. Default: Ctrl-C. */
  readonly signal?: AbortSignal
  /** Longest wait for the answer, in milliseconds. Default 30,000. */
  readonly timeoutMs?: number
}

export interface Gateway {
  readonly url: string
  /** @throws Refused, Failure */
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer>
}

const defaultTimeoutMs = 30_000

/**
 * A path with its parts encoded: `path\`/clients/${clientId}\``.
 * @throws Failure for `.` and `..`: in a URL they mean another path, however they are encoded
 */
export function path(texts: TemplateStringsArray, ...parts: readonly string[]): string {
  const dots = parts.find(part => part === '.' || part === '..')
  if (dots !== undefined) throw new Failure(`${JSON.stringify(dots)} cannot stand in an address`)
  const encoded = parts.map(encodeURIComponent)
  return texts.map((text, i) => text + (encoded[i] ?? '')).join('')
}

/** A text member that must be in an answer. */
export function textOf(answer: Answer, name: string): string {
  const value = answer[name]
  if (typeof value !== 'string') throw new Failure(`the gateway's answer has no ${name}: is it of another version?`)
  return value
}

/** What kept a request from its answer, and what to do. */
function explain(error: unknown, url: string, io: Io): Failure {
  if (io.signal.aborted) return new Interrupted()
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new Failure(`${url} did not answer in time: look at its log and at /readyz`)
  }
  const cause = error instanceof Error ? error.cause : undefined
  const code = isRecord(cause) && typeof cause['code'] === 'string' ? cause['code'] : ''
  if (/CERT|SIGNED|ISSUER|ALTNAME/.test(code)) {
    return new Failure(
      `the certificate of ${url} is not trusted here (${code}): set NODE_EXTRA_CA_CERTS, or use its real name`
    )
  }
  const why = code === '' ? '' : ` (${code})`
  return new Failure(`nothing answers at ${url}${why}: is the gateway running, and is --url right?`)
}

/** What a refusal means to whoever called. */
function refusal(status: number, answer: Answer, url: string, tokenFrom: string): Failure {
  const { code, message, index } = answer
  if (typeof code !== 'string' || typeof message !== 'string') {
    return new Failure(`what answers at ${url} is no countersign gateway (status ${status}): is --url right?`)
  }
  const text = clean(message)
  const make = (said: string) => new Refused(status, code, said, typeof index === 'number' ? index : undefined)
  switch (status) {
    case 401:
      return make(
        `the gateway at ${url} does not take the token from ${tokenFrom}: give it the admin token or an API token`
      )
    case 429:
      return make(`${text} (429): wait a minute and try again`)
    case 503:
      return make(`${text} (${code}): see ${url}/readyz`)
    default:
      return make(`${text} (${code})`)
  }
}

async function readAnswer(response: Response, url: string): Promise<Answer> {
  const text = await response.text()
  if (text === '' && response.ok) return {}
  try {
    const answer: unknown = JSON.parse(text)
    if (isRecord(answer)) return answer
  } catch {
    // Said below: a page of a proxy, say.
  }
  throw new Failure(`what answers at ${url} is no countersign gateway (status ${response.status}): is --url right?`)
}

/** @param settings  environment, `.env` and flags by precedence */
export function openGateway(io: Io, values: Context['values'], settings: Settings): Gateway {
  let token: ReturnType<typeof findToken> | undefined
  let warned = false

  async function warn(url: string): Promise<void> {
    if (warned) return
    warned = true
    if (values.has('token')) {
      await note(io, 'warning: --token can be read by others on this machine: use the environment or --data-dir')
    }
    if (url.startsWith('http:') && !isLoopback(url)) {
      await note(io, `warning: the token travels unencrypted to ${url}: use https://`)
    }
  }

  return {
    get url() {
      return findUrl(values, settings)
    },
    async call(method, path, body, { signal = io.signal, timeoutMs = defaultTimeoutMs } = {}) {
      const { url } = this
      token ??= findToken(values, settings)
      await warn(url)
      let response: Response
      let answer: Answer
      try {
        response = await io.fetch(`${url}${path}`, {
          method,
          redirect: 'manual',
          signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
          headers: {
            authorization: `Bearer ${token.token}`,
            ...(body === undefined ? {} : { 'content-type': 'application/json' })
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) })
        })
        if (response.status >= 300 && response.status < 400) {
          const target = clean(response.headers.get('location') ?? 'elsewhere')
          throw new Failure(`${url} sends on to ${target}: give that address with --url`)
        }
        answer = await readAnswer(response, url)
      } catch (error) {
        throw error instanceof Failure ? error : explain(error, url, io)
      }
      if (!response.ok) throw refusal(response.status, answer, url, token.from)
      return answer
    }
  }
}
