import type { Io } from './command.js'
import { write } from './output.js'
import { shortDuration } from './times.js'

/** Progress on stderr: a moving bar on a terminal, otherwise one line at the end. */

export interface Progress {
  add(count: number): Promise<void>
  /** Removes the bar, before an error is printed. */
  stop(): Promise<void>
  finish(): Promise<void>
}

const barCells = 24
const redrawMs = 100

/**
 * @param what   the unit, e.g. `licenses`
 * @param total  undefined if unknown
 * @param shown  whether there is a bar. Default: on a terminal
 */
export function startProgress(
  io: Io,
  what: string,
  total?: number,
  shown: boolean = io.stderr.isTTY === true
): Progress {
  const began = io.now()
  let done = 0
  let drawnAt = Number.NEGATIVE_INFINITY

  function rate(): number {
    return done / Math.max((io.now() - began) / 1000, 0.001)
  }

  function draw(): string {
    const speed = `${Math.round(rate())}/s`
    if (total === undefined) return `${done} ${what}  ${speed}`
    const filled = total === 0 ? barCells : Math.floor((done / total) * barCells)
    const left = rate() === 0 ? '' : `  ${shortDuration((total - done) / rate())} left`
    return `${'█'.repeat(filled)}${'░'.repeat(barCells - filled)} ${done}/${total} ${what}  ${speed}${left}`
  }

  async function clear(): Promise<void> {
    if (shown) await write(io.stderr, '\r\u001b[K')
  }

  return {
    async add(count) {
      done += count
      if (!shown || (io.now() - drawnAt < redrawMs && done !== total)) return
      drawnAt = io.now()
      await write(io.stderr, `\r\u001b[K${draw()}`)
    },
    stop: clear,
    async finish() {
      await clear()
      const seconds = (io.now() - began) / 1000
      await write(io.stderr, `${done} ${what} in ${shortDuration(seconds)} (${Math.round(rate())}/s)\n`)
    }
  }
}
