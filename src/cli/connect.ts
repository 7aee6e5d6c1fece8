import { createInterface, type Interface } from 'node:readline'
import {
  type ClientEvents,
  type CountersignClient,
  createClient,
  RequestError,
  type Subscription
} from '../client/node.js'
import type { Invocation, Io } from './command.js'
import { readCredential } from './credential.js'
import { Failure, Interrupted } from './errors.js'
import { cell, clean, painter, write } from './output.js'
import { membersOf } from './resource.js'
import { shortTime } from './times.js'

/** `countersign connect`: an interactive client. */

const lineHelp = `validate <serviceId> <hwid> <key>   check a license on this hardware (\`-\`: no hwid)
subscribe <channel>                 show what is published there
unsubscribe <channel>               stop that
publish <channel> <JSON>            publish to every session that has joined it
heartbeat                           show the gateway's time
help                                show this
bye                                 leave`

/** @throws Failure for anything but the URL of a gateway */
function socketUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url === undefined || !/^(http|ws)s?:$/.test(url.protocol)) {
    throw new Failure('--url must be like https://gateway.example.com or wss://gateway.example.com/v1/ws')
  }
  if (url.protocol.startsWith('ws')) return url.href
  return `${url.href.replace(/^http/, 'ws').replace(/\/$/, '')}/v1/ws`
}

/** Shows frames and answers on stdout, and the state of the connection on stderr. */
class Screen {
  readonly #io: Io
  readonly #json: boolean
  readonly #paint: ReturnType<typeof painter>
  #prompt: Interface | undefined

  constructor(io: Io, json: boolean) {
    this.#io = io
    this.#json = json
    this.#paint = painter(io.stdout, io.env)
  }

  startPrompt(lines: Interface): void {
    this.#prompt = lines
    lines.setPrompt('> ')
    lines.prompt()
  }

  stopPrompt(): void {
    this.#prompt = undefined
  }

  frame({ direction, text, signed }: ClientEvents['frame']): void {
    if (this.#json) return
    const mark = signed ? this.#paint('green', '✓') : this.#paint('dim', '·')
    this.#print(this.#io.stdout, `${direction === 'up' ? '→' : '←'} ${mark} ${clean(text)}`)
  }

  answer(asked: string, answer: Readonly<Record<string, unknown>>): void {
    const text = this.#json ? JSON.stringify({ asked, ...answer }) : `  ${asked}: ${cell(answer)}`
    this.#print(this.#io.stdout, text)
  }

  help(): void {
    this.#print(this.#io.stdout, lineHelp)
  }

  note(text: string): void {
    this.#print(this.#io.stderr, text)
  }

  /** Prints above the line that the user is typing. */
  #print(stream: Io['stdout'], text: string): void {
    stream.write(`${this.#prompt === undefined ? '' : '\r\u001b[K'}${text}\n`)
    this.#prompt?.prompt(true)
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Sends what the lines ask for. */
class Conversation {
  readonly #client: CountersignClient
  readonly #screen: Screen
  readonly #subscriptions = new Map<string, Subscription>()

  constructor(client: CountersignClient, screen: Screen) {
    this.#client = client
    this.#screen = screen
  }

  /** @returns whether the line was understood and answered; `bye` if it ends the conversation */
  async handle(line: string): Promise<boolean | 'bye'> {
    const [, verb = '', rest = ''] = /^\s*(\S*)\s*([\s\S]*?)\s*$/.exec(line) ?? []
    if (verb === '') return true
    if (verb === 'bye') return 'bye'
    try {
      if (await this.#request(verb, rest)) return true
      this.#screen.note('not understood. Try: help')
    } catch (error) {
      if (!(error instanceof RequestError)) throw error
      this.#screen.note(`${verb}: ${clean(error.message)} (${clean(error.code)})`)
    }
    return false
  }

  /** @returns whether the line was understood. @throws RequestError */
  async #request(verb: string, rest: string): Promise<boolean> {
    const client = this.#client
    const screen = this.#screen
    switch (verb) {
      case 'help':
        screen.help()
        return true
      case 'heartbeat':
        screen.answer(verb, { serverTime: shortTime(new Date(await client.heartbeat()).toISOString()) })
        return true
      case 'subscribe':
        if (rest === '' || this.#subscriptions.has(rest)) return false
        this.#subscriptions.set(rest, await this.#join(rest))
        return true
      case 'unsubscribe':
        this.#subscriptions.get(rest)?.unsubscribe()
        if (!this.#subscriptions.delete(rest)) return false
        screen.answer(verb, { channel: rest })
        return true
      case 'publish': {
        const [, channel, text = ''] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? []
        const data = parseJson(text)
        if (channel === undefined || data === undefined) return false
        screen.answer(verb, { ...(await client.publish(channel, data)) })
        return true
      }
      case 'validate': {
        // A key may contain spaces.
        const [, serviceId, hwid, key] = /^(\S+)\s+(\S+)\s+([\s\S]+)$/.exec(rest) ?? []
        if (serviceId === undefined || hwid === undefined || key === undefined) return false
        const question = { serviceId, key, ...(hwid === '-' ? {} : { hwid }) }
        screen.answer(verb, { ...(await client.validate(question)) })
        return true
      }
      default:
        return false
    }
  }

  /** Resolves when the channel is joined. @throws RequestError */
  #join(channel: string): Promise<Subscription> {
    const client = this.#client
    return new Promise((resolve, reject) => {
      const stops = [
        client.on('subscribed', ({ channel: joined, offset, epoch }) => {
          if (joined !== channel) return
          for (const stop of stops) stop()
          this.#screen.answer('subscribe', { channel, offset, epoch })
          resolve(subscription)
        }),
        client.on('unsubscribed', ({ channel: left, code }) => {
          if (left !== channel) return
          for (const stop of stops) stop()
          reject(new RequestError(code, `${channel} cannot be joined`))
        })
      ]
      const subscription = client.subscribe(channel, publication =>
        this.#screen.answer('publication', { ...publication })
      )
    })
  }
}

/** Resolves with the first welcome. @throws Failure when the first attempts fail */
function welcomed(client: CountersignClient, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.on('welcome', () => resolve())
    client.on('trouble', ({ reason }) => {
      const advice = reason.startsWith('AUTHENTICATION_FAILED')
        ? 'are clientId, keyId and secret right, and is the client active?'
        : 'is the gateway running, and is --url right?'
      reject(new Failure(`no session with ${url} (${clean(reason)}): ${advice}`))
    })
  })
}

/** A promise that only rejects. It may do so when nothing awaits it any more. */
function rejection(start: (reject: (error: Error) => void) => void): Promise<never> {
  const promise = new Promise<never>((_resolve, reject) => start(reject))
  promise.catch(() => {})
  return promise
}

/** @returns the exit code */
export async function connect(invocation: Invocation): Promise<number> {
  const { io, options, gateway } = invocation
  const url = socketUrl(options.url ?? gateway.url)
  const credential = readCredential(invocation)
  const screen = new Screen(io, options.json === true)
  const isTerminal = io.stdin.isTTY === true && io.stdout.isTTY === true
  const client = createClient({ url, credential, ...membersOf(invocation, []) })
  const ended = rejection(reject => {
    io.signal.addEventListener('abort', () => reject(new Interrupted()), { once: true })
    client.on('stopped', ({ code, message }) =>
      reject(new Failure(`the gateway ended the session: ${clean(message)} (${code})`))
    )
  })
  client.on('frame', frame => screen.frame(frame))
  client.on('lost', ({ reason }) => screen.note(`lost the connection (${clean(reason)}), trying again`))

  let lines: Interface | undefined
  async function converse(input: Interface): Promise<boolean> {
    const conversation = new Conversation(client, screen)
    let isGood = true
    for await (const line of input) {
      const result = await conversation.handle(line)
      if (result === 'bye') break
      // A user sees the error and goes on; a script has failed.
      if (!result && !isTerminal) isGood = false
      if (isTerminal) input.prompt()
    }
    return isGood
  }
  try {
    client.connect()
    await Promise.race([welcomed(client, url), ended])
    // Created only now, because it drops the lines that it reads before they are iterated.
    const input = createInterface({
      input: io.stdin,
      crlfDelay: Number.POSITIVE_INFINITY,
      ...(isTerminal ? { output: io.stdout, terminal: true } : {})
    })
    lines = input
    // A terminal in raw mode sends Ctrl-C only to readline.
    const interrupted = rejection(reject => input.on('SIGINT', () => reject(new Interrupted())))
    if (isTerminal) {
      screen.help()
      screen.startPrompt(input)
    }
    return (await Promise.race([converse(input), ended, interrupted])) ? 0 : 1
  } finally {
    screen.stopPrompt()
    lines?.close()
    client.close()
    io.stdin.pause()
    if (isTerminal) await write(io.stderr, '\n')
  }
}
