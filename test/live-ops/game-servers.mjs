import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Game servers in Luau that run the scripts of the example place: several processes with some servers each. */

const root = fileURLToPath(new URL('../..', import.meta.url))
/** luau-web has 18 MB of memory for a process. */
const serversPerProcess = 4

/**
 * @param {number} servers  in all
 * @param {number} players  of each
 * @returns what ran, and functions that wait for it
 */
export function startGameServers({ gatewayUrl, token, game, servers, players }) {
  const lines = []
  const waiting = new Set()
  const processes = []
  for (let first = 0; first < servers; first += serversPerProcess) {
    const child = spawn(
      process.execPath,
      ['--stack-size=4000', 'test/roblox/runtime/run.mjs', 'roblox/test/live/live-ops.luau'],
      {
        cwd: root,
        env: {
          ...process.env,
          GATEWAY_URL: gatewayUrl,
          GAME_TOKEN: token,
          GAME: game,
          PROCESS_NAME: `p${first / serversPerProcess}`,
          SERVERS: String(Math.min(serversPerProcess, servers - first)),
          PLAYERS: String(players)
        },
        stdio: ['ignore', 'pipe', 'inherit']
      }
    )
    processes.push(child)
    createInterface({ input: child.stdout }).on('line', line => {
      lines.push(line)
      for (const check of waiting) check()
    })
  }

  /** Waits until as many lines begin with a text. */
  function waitFor(text, count, ms = 60_000) {
    const found = () => lines.filter(line => line.startsWith(text))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(check)
        reject(new Error(`${found().length} of ${count} lines "${text}" after ${ms} ms`))
      }, ms)
      const check = () => {
        if (found().length < count) return
        clearTimeout(timer)
        waiting.delete(check)
        resolve(found())
      }
      waiting.add(check)
      check()
    })
  }

  /** Ends one process as a crash does: nothing is sent any more. */
  async function crash(number) {
    const child = processes[number]
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  return {
    processes: processes.length,
    lines: text => lines.filter(line => line.startsWith(text)),
    waitFor,
    crash,
    stop: () => Promise.all(processes.map((_, number) => crash(number)))
  }
}
