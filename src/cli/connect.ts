import { createInterface, type Interface } from 'node:readline'
import {
  type ClientEvents,
  type CountersignClient,
  createClient,
  RequestError,
  type Subscription
} from '../client/node.js'
import { type Context, Failure, Interrupted, type Io } from './command.js'
import { readCredential } from './credential.js'
import { cell, clean, painter, write } from './output.js'
import { shortTime } from './times.js'

/** `countersign connect`: a client by hand. */

const lineHelp = `validate <serviceId> <hwid> <key>   is the license good on this hardware (\`-\`: no hwid)
subscribe <channel>                 hear what is published there
unsubscribe <channel>               and no more
publish <channel> <JSON>            tell all who have joined it
heartbeat                           what time the gateway has
help                                this
bye                                 leave
`

/** @throws Failure for what is no URL of a gateway */
function socketUrl(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url === undefined || !/^(http|ws)s?:$/.test(url.protocol)) {
    throw new Failure('--url is like https://gateway.example.com or wss://gateway.example.com/v1/ws')
  }
  if (url.protocol.startsWith('ws')) return url.href
  return `${url.href.replace(/^http/, 'ws').replace(/\/$/, '')}/v1/ws`
}

/** What the person sees: frames and answers on stdout, how it goes on stderr. */
function createScreen(io: Io, json: boolean) {
  const paint = painter(io.stdout, io.env)
  let prompt: Interface | undefined

  /** Where someone types, what comes in between goes above the line. */
  function put(stream: Io['stdout'], text: string): void {
    const clear = prompt === undefined ? '' : '\r\u001b[K'
    stream.write(`${clear}${text}\n`)
    prompt?.prompt(true)
  }

  return {
    promptWith(lines: Interface) {
      prompt = lines
      lines.setPrompt('> ')
      lines.prompt()
    },
    stopPrompt() {
      prompt = undefined
    },
    frame({ direction, text, signed }: ClientEvents['frame']): void {
      if (json) return
      const mark = signed ? paint('green', '✓') : paint('dim', '·')
      put(io.stdout, `${direction === 'up' ? '→' : '←'} ${mark} ${clean(text)}`)
    },
    answer(asked: string, answer: Readonly<Record<string, unknown>>): void {
      put(io.stdout, json ? JSON.stringify({ asked, ...answer }) : `  ${asked}: ${cell(answer)}`)
    },
    help: () => put(io.stdout, lineHelp.trimEnd()),
    say: (text: string) => put(io.stderr, text)
  }
}

type Screen = ReturnType<typeof createScreen>

interface Talk {
  readonly client: CountersignClient
  readonly screen: Screen
  readonly subscriptions: Map<string, Subscription>
}

/** Resolves once a channel is joined. @throws RequestError */
function joined(client: CountersignClient, channel: string, screen: Screen): Promise<Subscription> {
  return new Promise((resolve, reject) => {
    const stops = [
      client.on('subscribed', ({ channel: of, offset, epoch }) => {
        if (of !== channel) return
        for (const stop of stops) stop()
        screen.answer('subscribe', { channel, offset, epoch })
        resolve(subscription)
      }),
      client.on('unsubscribed', ({ channel: of, code }) => {
        if (of !== channel) return
        for (const stop of stops) stop()
        reject(new RequestError(code, `${channel} cannot be joined`))
      })
    ]
    const subscription = client.subscribe(channel, publication => screen.answer('publication', { ...publication }))
  })
}

function parseData(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** @returns whether the line was understood and answered; `bye` where it ends the talk */
async function obey(line: string, { client, screen, subscriptions }: Talk): Promise<boolean | 'bye'> {
  const [, verb = '', rest = ''] = /^\s*(\S*)\s*([\s\S]*?)\s*$/.exec(line) ?? []
  try {
    switch (verb) {
      case '':
        return true
      case 'bye':
        return 'bye'
      case 'help':
        screen.help()
        return true
      case 'heartbeat':
        screen.answer(verb, { serverTime: shortTime(new Date(await client.heartbeat()).toISOString()) })
        return true
      case 'subscribe':
        if (rest === '' || subscriptions.has(rest)) break
        subscriptions.set(rest, await joined(client, rest, screen))
        return true
      case 'unsubscribe':
        if (!subscriptions.has(rest)) break
        subscriptions.get(rest)?.unsubscribe()
        subscriptions.delete(rest)
        screen.answer(verb, { channel: rest })
        return true
      case 'publish': {
        const [, channel, text = ''] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? []
        const data = parseData(text)
        if (channel === undefined || data === undefined) break
        screen.answer(verb, { ...(await client.publish(channel, data)) })
        return true
      }
      case 'validate': {
        // A key may have spaces in it.
        const [, serviceId, hwid, key] = /^(\S+)\s+(\S+)\s+([\s\S]+)$/.exec(rest) ?? []
        if (serviceId === undefined || hwid === undefined || key === undefined) break
        const question = { serviceId, key, ...(hwid === '-' ? {} : { hwid }) }
        screen.answer(verb, { ...(await client.validate(question)) })
        return true
      }
    }
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    screen.say(`${verb}: ${clean(error.message)} (${clean(error.code)})`)
    return false
  }
  screen.say('not understood. Try: help')
  return false
}

/** Resolves with the first welcome. @throws Failure where none comes of the first tries */
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

/** Reads lines until `bye`, their end or {@link over}. @returns whether all went well */
async function converse(
  lines: Interface,
  over: Promise<never>,
  client: CountersignClient,
  screen: Screen,
  isTerminal: boolean
): Promise<boolean> {
  let good = true
  const talk = { client, screen, subscriptions: new Map<string, Subscription>() }
  async function read(): Promise<void> {
    for await (const line of lines) {
      const result = await obey(line, talk)
      if (result === 'bye') return
      // Who types sees it and goes on; a script has failed.
      if (!result && !isTerminal) good = false
      if (isTerminal) lines.prompt()
    }
  }
  await Promise.race([read(), over])
  return good
}

/** @returns the exit code */
export async function connect(context: Context): Promise<number> {
  const { io, values, gateway } = context
  const url = socketUrl(values.text('url') ?? gateway.url)
  const credential = readCredential(context)
  const screen = createScreen(io, values.has('json'))
  const isTerminal = io.stdin.isTTY === true && io.stdout.isTTY === true
  const client = createClient({ url, credential, ...values.body() })

  const over = new Promise<never>((_resolve, reject) => {
    io.signal.addEventListener('abort', () => reject(new Interrupted()), { once: true })
    client.on('stopped', ({ code, message }) =>
      reject(new Failure(`the gateway ended it: ${clean(message)} (${code})`))
    )
  })
  over.catch(() => {}) // It may come when nobody waits for it any more.
  client.on('frame', screen.frame)
  client.on('lost', ({ reason }) => screen.say(`lost the connection (${clean(reason)}), trying again`))

  let lines: Interface | undefined
  try {
    client.connect()
    await Promise.race([welcomed(client, url), over])
    // Made only now: lines that were read before someone iterates would be lost.
    lines = createInterface({
      input: io.stdin,
      crlfDelay: Number.POSITIVE_INFINITY,
      ...(isTerminal ? { output: io.stdout, terminal: true } : {})
    })
    // A terminal in raw mode has no SIGINT but this one.
    const interrupted = new Promise<never>((_resolve, reject) => lines?.on('SIGINT', () => reject(new Interrupted())))
    interrupted.catch(() => {})
    if (isTerminal) {
      screen.help()
      screen.promptWith(lines)
    }
    return (await converse(lines, Promise.race([over, interrupted]), client, screen, isTerminal)) ? 0 : 1
  } finally {
    screen.stopPrompt()
    lines?.close()
    client.close()
    io.stdin.pause()
    if (isTerminal) await write(io.stderr, '\n')
  }
}
