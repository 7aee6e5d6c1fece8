import type { Interface } from 'node:readline'
import type { Io } from './command.js'
import { cell, clean, type Painter, painter } from './output.js'

const lineHelp = `validate <serviceId> <hwid> <key>   check a license on this hardware (\`-\`: no hwid)
subscribe <channel>                 show what is published there
unsubscribe <channel>               stop that
publish <channel> <JSON>            publish to every session that has joined it
heartbeat                           show the gateway's time
help                                show this
bye                                 leave`

interface Frame {
  readonly direction: 'up' | 'down'
  readonly text: string
  readonly signed: boolean
}

/** Texts printed without quotes: they read as one value. */
const plain = /^[^"=,{}[\]]+$/

/** The members of an answer. Published data is any JSON, and is printed as JSON. */
function membersOf(answer: Readonly<Record<string, unknown>>): string {
  return Object.entries(answer)
    .map(([name, value]) => {
      const isPlain = name !== 'data' && typeof value === 'string' && plain.test(value)
      return `${clean(name)}=${isPlain ? cell(value) : clean(JSON.stringify(value) ?? '-')}`
    })
    .join(' ')
}

/** Shows frames and answers on stdout, and the state of the connection on stderr. */
export class Screen {
  readonly #io: Io
  readonly #json: boolean
  readonly #paint: Painter
  #prompt: Interface | undefined

  constructor(io: Io, json: boolean) {
    this.#io = io
    this.#json = json
    this.#paint = painter(io.stdout, io.env)
  }

  startPrompt(lines: Interface): void {
    this.help()
    this.#prompt = lines
    lines.setPrompt('> ')
    lines.prompt()
  }

  stopPrompt(): void {
    this.#prompt = undefined
  }

  frame({ direction, text, signed }: Frame): void {
    if (this.#json) return
    const mark = signed ? this.#paint('green', '✓') : this.#paint('dim', '·')
    this.#print(this.#io.stdout, `${direction === 'up' ? '→' : '←'} ${mark} ${clean(text)}`)
  }

  answer(asked: string, answer: Readonly<Record<string, unknown>>): void {
    const text = this.#json ? JSON.stringify({ asked, ...answer }) : `  ${asked}: ${membersOf(answer)}`
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
