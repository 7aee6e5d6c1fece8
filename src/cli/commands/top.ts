import { setTimeout } from 'node:timers/promises'
import type { CommandSpec, Io } from '../command.js'
import { Interrupted } from '../errors.js'
import type { Gateway } from '../gateway.js'
import { isRecord } from '../json.js'
import { gatewayOptions, integer, toggle } from '../options.js'
import { columns, printJson, tablePrinter, write } from '../output.js'

/** Sessions that are requested: those with the most frames, from which the busiest ones are selected. */
const askedSessions = 1000
const defaultRows = 20
const refreshMs = 2000

interface Row {
  readonly sessionId: string
  readonly clientId: string
  readonly frames: number
  readonly bytes: number
  readonly refused: number
  /** Frames a second since the previous refresh; 0 at the first. */
  readonly rate: number
}

function rowOf(item: unknown, previous: ReadonlyMap<string, number>, seconds: number): Row[] {
  if (!isRecord(item) || !isRecord(item['counts'])) return []
  const { frames, bytes, refused } = item['counts']
  const sessionId = String(item['sessionId'])
  const before = previous.get(sessionId)
  // A session that was not on the list before is new, or was quiet until now.
  const rate = seconds === 0 ? 0 : Math.max(0, Number(frames) - (before ?? 0)) / seconds
  const clientId = String(item['clientId'])
  return [{ sessionId, clientId, frames: Number(frames), bytes: Number(bytes), refused: Number(refused), rate }]
}

/** Reads the busiest sessions repeatedly. */
class Top {
  readonly #gateway: Gateway
  readonly #io: Io
  #previous: ReadonlyMap<string, number> = new Map()
  #readAt: number | undefined

  constructor(gateway: Gateway, io: Io) {
    this.#gateway = gateway
    this.#io = io
  }

  /** @returns the sessions with the highest rate first; at the first call those with the most frames */
  async read(limit: number): Promise<readonly Row[]> {
    const { items } = await this.#gateway.call('GET', `/v1/admin/top?limit=${askedSessions}`)
    const at = this.#io.now()
    const seconds = this.#readAt === undefined ? 0 : Math.max(0.001, (at - this.#readAt) / 1000)
    const rows = (Array.isArray(items) ? items : []).flatMap(item => rowOf(item, this.#previous, seconds))
    this.#previous = new Map(rows.map(({ sessionId, frames }) => [sessionId, frames]))
    this.#readAt = at
    return rows.sort((a, b) => b.rate - a.rate || b.frames - a.frames).slice(0, limit)
  }
}

async function show(io: Io, rows: readonly Row[], json: boolean): Promise<void> {
  if (json) return printJson(io, { items: rows })
  if (io.stdout.isTTY === true) await write(io.stdout, '\u001b[H\u001b[2J')
  const print = tablePrinter(
    io,
    columns({
      SESSION: 'sessionId',
      CLIENT: 'clientId',
      'FRAMES/S': row => Number(row['rate']).toFixed(1),
      FRAMES: 'frames',
      BYTES: 'bytes',
      REFUSED: 'refused'
    })
  )
  await print(rows)
}

export const topCommand: CommandSpec = {
  usage: 'top',
  summary: 'Show the sessions that send the most, until Ctrl-C.',
  details: 'With --once it shows them once, by all frames since they began; else every 2 seconds, by frames a second.',
  options: [
    integer('--limit <n>', `Sessions to show, up to ${askedSessions}; default ${defaultRows}.`, {
      min: 1,
      max: askedSessions
    }),
    toggle('--once', 'Show them once.'),
    ...gatewayOptions
  ],
  examples: ['countersign top', 'countersign top --once --json'],
  async run({ io, options, gateway }) {
    const { limit = defaultRows, json = false } = options
    const top = new Top(gateway, io)
    try {
      for (;;) {
        await show(io, await top.read(limit), json)
        if (options['once'] === true) return 0
        await setTimeout(refreshMs, undefined, { signal: io.signal })
      }
    } catch (error) {
      if (error instanceof Interrupted || io.signal.aborted) return 0
      throw error
    }
  }
}
