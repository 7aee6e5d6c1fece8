import type { Io, OptionValues } from './command.js'
import { Failure, Interrupted } from './errors.js'
import { isRecord, parseRecord } from './json.js'
import { type FoundToken, findToken, findUrl, type LookUpSetting } from './locate.js'
import { clean, note } from './output.js'
import { checkTrust, type FoundSecret, isLoopback, trust } from './trust.js'

/** Calls a running gateway over HTTP. */

/** The gateway's answer, a JSON object; empty if there is none. */
export type Answer = Readonly<Record<string, unknown>>

/** The gateway refused a request. */
export class Refused extends Failure {
  override readonly name = 'Refused'
  readonly status: number
  readonly code: string
  /** The refused item of a request with several. */
  readonly index: number | undefined
  readonly answer: Answer

  constructor(status: number, code: string, message: string, answer: Answer) {
    super(message)
    this.status = status
    this.code = code
    this.index = typeof answer['index'] === 'number' ? answer['index'] : undefined
    this.answer = answer
  }
}

export interface CallOptions {
  /** Aborts the call. Default: Ctrl-C. */
  readonly signal?: AbortSignal
  /** Default 30,000. */
  readonly timeoutMs?: number
}

export interface StreamOptions extends CallOptions {
  /** Default: GET. */
  readonly method?: string
  /** Sent as JSON. */
  readonly body?: unknown
}

const defaultTimeoutMs = 30_000

/** @throws Failure for `.` and `..`, which change the path even when encoded */
export function path(texts: TemplateStringsArray, ...parts: readonly string[]): string {
  const dots = parts.find(part => part === '.' || part === '..')
  if (dots !== undefined) throw new Failure(`${JSON.stringify(dots)} cannot be part of an address`)
  const encoded = parts.map(encodeURIComponent)
  return texts.map((text, i) => text + (encoded[i] ?? '')).join('')
}

/** @throws Failure if the answer lacks such a text */
export function textOf(answer: Answer, name: string): string {
  const value = answer[name]
  if (typeof value !== 'string') throw new Failure(`the answer of the gateway has no ${name}: is it another version?`)
  return value
}

/** Why there was no answer, and what to do. @param hasBegun  whether part of it has arrived */
function connectionFailure(error: unknown, url: string, io: Io, hasBegun = false): Failure {
  if (io.signal.aborted) return new Interrupted()
  if (error instanceof Error && error.name === 'TimeoutError') {
    return new Failure(`${url} did not answer in time: see its log and /readyz`)
  }
  const cause = error instanceof Error ? error.cause : undefined
  const code = isRecord(cause) && typeof cause['code'] === 'string' ? cause['code'] : ''
  if (/CERT|SIGNED|ISSUER|ALTNAME/.test(code)) {
    return new Failure(
      `the certificate of ${url} is not trusted (${code}): set NODE_EXTRA_CA_CERTS, or use the name in the certificate`
    )
  }
  const why = code === '' ? '' : ` (${code})`
  if (hasBegun) return new Failure(`${url} broke off its answer${why}: its log has the reason`)
  return new Failure(`nothing answers at ${url}${why}: is the gateway running, and is --url right?`)
}

function refusal(status: number, answer: Answer, url: string, tokenFrom: string): Failure {
  const { code, message } = answer
  if (typeof code !== 'string' || typeof message !== 'string') {
    return new Failure(`${url} is not a countersign gateway (status ${status}): is --url right?`)
  }
  const text = clean(message)
  const refused = (why: string) => new Refused(status, code, why, answer)
  switch (status) {
    case 401:
      return refused(`${url} does not accept the token from ${tokenFrom}: use the admin token or an API token`)
    case 429:
      return refused(`${text} (429): wait a minute and try again`)
    case 503:
      return refused(`${text} (${code}): see ${url}/readyz`)
    default:
      return refused(`${text} (${code})`)
  }
}

async function readAnswer(response: Response, url: string): Promise<Answer> {
  const text = await response.text()
  if (text === '' && response.ok) return {}
  const answer = parseRecord(text)
  if (answer !== undefined) return answer
  // The page of a proxy, for example.
  throw new Failure(`${url} is not a countersign gateway (status ${response.status}): is --url right?`)
}

interface Found {
  readonly url: string
  readonly token: FoundToken
}

/** A running gateway. Its token is looked up on the first call; warnings, and the token's source, are shown once. */
export class Gateway {
  readonly #io: Io
  readonly #options: OptionValues
  readonly #lookUp: LookUpSetting
  #found: Found | undefined

  /** @param lookUp  reads one setting by precedence */
  constructor(io: Io, options: OptionValues, lookUp: LookUpSetting) {
    this.#io = io
    this.#options = options
    this.#lookUp = lookUp
  }

  /**
   * The URL that a secret may be sent to. Reports both if the URL or the secret comes from `.env`, since the user did
   * not type them.
   * @throws Failure if the options or settings do not make a URL, or its source is less trusted than the secret's
   */
  async urlFor(secret: FoundSecret): Promise<string> {
    const target = findUrl(this.#options, this.#lookUp)
    checkTrust(target, secret)
    if (target.trust === trust.envFile || secret.trust === trust.envFile) {
      const from = target.from ?? 'the default'
      await note(this.#io, `gateway: ${target.url} (${from}), with the ${secret.kind} from ${secret.from}`)
    }
    return target.url
  }

  /** @throws Failure */
  async url(): Promise<string> {
    this.#found ??= await this.#find()
    return this.#found.url
  }

  /**
   * Sends one request.
   * @param path  with its parts encoded ({@link path})
   * @param body  sent as JSON
   * @throws Refused, Failure, Interrupted
   */
  call(method: string, path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.#request(method, path, body, options, async (response, { url, token }) => {
      const answer = await readAnswer(response, url)
      if (!response.ok) throw refusal(response.status, answer, url, token.from)
      return answer
    })
  }

  /**
   * Reads a long answer in pieces.
   * @param path  with its parts encoded ({@link path})
   * @returns the pieces; a lost connection rejects the next one with a Failure
   * @throws Refused, Failure, Interrupted
   */
  stream(path: string, options: StreamOptions = {}): Promise<AsyncIterable<Uint8Array>> {
    return this.#request(options.method ?? 'GET', path, options.body, options, async (response, { url, token }) => {
      if (!response.ok) throw refusal(response.status, await readAnswer(response, url), url, token.from)
      return this.#piecesOf(response, url)
    })
  }

  async *#piecesOf({ body }: Response, url: string): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of body ?? []) yield piece
    } catch (error) {
      throw error instanceof Failure ? error : connectionFailure(error, url, this.#io, true)
    }
  }

  async #request<T>(
    method: string,
    path: string,
    body: unknown,
    options: CallOptions,
    read: (response: Response, found: Found) => Promise<T>
  ): Promise<T> {
    this.#found ??= await this.#find()
    const found = this.#found
    const { url } = found
    const { token } = found.token
    const { signal = this.#io.signal, timeoutMs = defaultTimeoutMs } = options
    const init = {
      method,
      redirect: 'manual' as const,
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    }
    try {
      const response = await this.#io.fetch(`${url}${path}`, init)
      if (response.status >= 300 && response.status < 400) {
        const target = clean(response.headers.get('location') ?? 'elsewhere')
        throw new Failure(`${url} redirects to ${target}: use that address with --url`)
      }
      return await read(response, found)
    } catch (error) {
      throw error instanceof Failure ? error : connectionFailure(error, url, this.#io)
    }
  }

  async #find(): Promise<Found> {
    const token = findToken(this.#options, this.#lookUp)
    const url = await this.urlFor(token)
    if (this.#options.token !== undefined) {
      await note(this.#io, 'warning: --token can be read by others on this machine: use the environment or --data-dir')
    }
    if (url.startsWith('http:') && !isLoopback(url)) {
      await note(this.#io, `warning: the token travels unencrypted to ${url}: use https://`)
    }
    return { url, token }
  }
}
