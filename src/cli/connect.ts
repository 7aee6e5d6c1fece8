import { createInterface, type Interface } from 'node:readline'
import { type CountersignClient, createClient, RequestError, type Subscription } from '../client/node.js'
import { rejection, socketUrl, whileConnected } from './client-session.js'
import type { Invocation } from './command.js'
import { Screen } from './connect-screen.js'
import { credentialSource, readCredential } from './credential.js'
import { Interrupted } from './errors.js'
import { parseJson } from './json.js'
import { clean, write } from './output.js'
import { membersOf } from './resource.js'
import { shortTime } from './times.js'

/** `countersign connect`: an interactive client. */

/** Sends the requests of input lines. */
class Conversation {
  readonly #client: CountersignClient
  readonly #screen: Screen
  readonly #subscriptions = new Map<string, Subscription>()

  constructor(client: CountersignClient, screen: Screen) {
    this.#client = client
    this.#screen = screen
  }

  /**
   * Reads lines until `bye` or their end.
   * @returns whether every line succeeded; always true on a terminal, because the user has seen the error and continued
   */
  async run(lines: Interface, isTerminal: boolean): Promise<boolean> {
    let isGood = true
    for await (const line of lines) {
      const [, verb = '', rest = ''] = /^\s*(\S*)\s*([\s\S]*?)\s*$/.exec(line) ?? []
      if (verb === 'bye') break
      if (verb !== '') isGood = (await this.#handle(verb, rest)) && isGood
      if (isTerminal) lines.prompt()
    }
    return isGood || isTerminal
  }

  /** @returns whether the line was understood and answered */
  async #handle(verb: string, rest: string): Promise<boolean> {
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
  async #join(channel: string): Promise<Subscription> {
    const subscription = this.#client.subscribe(channel, publication =>
      this.#screen.answer('publication', { ...publication })
    )
    const { offset, epoch } = await subscription.ready
    this.#screen.answer('subscribe', { channel, offset, epoch })
    return subscription
  }
}

/** @returns the exit code */
export async function connect(invocation: Invocation): Promise<number> {
  const { io, options, gateway } = invocation
  const credential = readCredential(invocation)
  const url = socketUrl(options.url ?? (await gateway.urlFor(credentialSource(invocation))))
  const client = createClient({ url, credential, ...membersOf(invocation, []) })
  const screen = new Screen(io, options.json === true)
  const isTerminal = io.stdin.isTTY === true && io.stdout.isTTY === true
  client.on('frame', frame => screen.frame(frame))
  client.on('lost', ({ reason }) => screen.note(`lost the connection (${clean(reason)}), trying again`))
  let lines: Interface | undefined
  async function converse(): Promise<boolean> {
    // Created only now, because it drops the lines that it reads before they are iterated.
    const terminal = isTerminal ? { output: io.stdout, terminal: true } : {}
    const input = createInterface({ input: io.stdin, crlfDelay: Number.POSITIVE_INFINITY, ...terminal })
    lines = input
    // A terminal in raw mode sends Ctrl-C only to readline.
    const interrupted = rejection(reject => input.on('SIGINT', () => reject(new Interrupted())))
    if (isTerminal) screen.startPrompt(input)
    const conversation = new Conversation(client, screen).run(input, isTerminal)
    return Promise.race([conversation, interrupted]).finally(() => screen.stopPrompt())
  }
  try {
    return (await whileConnected(client, url, io, converse)) ? 0 : 1
  } finally {
    lines?.close()
    io.stdin.pause()
    if (isTerminal) await write(io.stderr, '\n')
  }
}
