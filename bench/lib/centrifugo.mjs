import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { removeFolder } from '../../test/helper/remove-folder.mjs'
import { freePort } from './processes.mjs'
import { RawSocket } from './raw-ws.mjs'

// Centrifugo beside the gateway, where its binary is on the PATH: JSON protocol, channels that are positioned and
// recoverable with a history, as the gateway's are. It has no IPC, so its CPU time is read from /proc.

/** @returns {string | undefined} its version, if there is a binary */
export function centrifugoVersion() {
  const { status, stdout } = spawnSync('centrifugo', ['version'], { encoding: 'utf8' })
  if (status !== 0) return undefined
  const [, version = '0.0.0'] = /v?(\d+\.\d+\.\d+)/.exec(stdout) ?? []
  return version === '0.0.0' ? (versionOfModule() ?? 'of an unknown version') : version
}

/** A binary built by `go install` does not know its version; Go records the module's version in it. */
function versionOfModule() {
  const file = process.env.PATH.split(delimiter)
    .map(folder => join(folder, 'centrifugo'))
    .find(existsSync)
  const recorded = /mod\tgithub\.com\/centrifugal\/centrifugo\/v\d+\tv(\d+\.\d+\.\d+)/
  return recorded.exec(readFileSync(file, 'latin1'))?.[1]
}

/** Of all its threads; Go ends none of them. `/proc/<pid>/stat` counts in ticks of 10 ms only. */
function cpuUsOf(pid) {
  const folder = `/proc/${pid}/task`
  return readdirSync(folder)
    .map(thread => Number(readFileSync(join(folder, thread, 'schedstat'), 'utf8').split(' ')[0]) / 1000)
    .reduce((sum, each) => sum + each, 0)
}

function residentBytesOf(pid) {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024
}

/** @param {{ redisUrl?: string }} options */
export async function startCentrifugo({ redisUrl } = {}) {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'))
  const config = {
    client: { insecure: true },
    http_server: { address: '127.0.0.1', port: String(port) },
    log: { level: 'none' },
    channel: {
      without_namespace: {
        ...{ history_size: 1024, history_ttl: '300s', force_positioning: true, force_recovery: true },
        ...{ allow_subscribe_for_client: true, allow_publish_for_client: true }
      }
    },
    ...(redisUrl === undefined ? {} : { engine: { type: 'redis', redis: { address: redisUrl, prefix: 'centrifugo' } } })
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
  const child = spawn('centrifugo', ['--config', join(folder, 'config.json')], {
    stdio: ['ignore', 'ignore', 'inherit']
  })
  process.on('exit', () => child.kill('SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  for (let i = 0; ; i++) {
    try {
      const socket = await RawSocket.connect(url, '/connection/websocket')
      socket.destroy()
      break
    } catch (error) {
      if (i === 100) throw error
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
  return {
    url,
    cpuUs: async () => cpuUsOf(child.pid),
    /** As of the other servers; Go collects garbage when it wants to. */
    ask: async () => ({ cpuUs: cpuUsOf(child.pid), rss: residentBytesOf(child.pid) }),
    async stop() {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
      removeFolder(folder)
    }
  }
}

/** A client that does no more than it must. Several messages may come in one, separated by LF; a ping is `{}`. */
export class CentrifugoSession {
  socket
  #id = 0

  static async open(url) {
    const session = new CentrifugoSession()
    const socket = await RawSocket.connect(url, '/connection/websocket')
    session.socket = new Lines(socket)
    await session.ask('"connect":{}')
    return session
  }

  /** @param command  the text of its members behind the id */
  text(command) {
    return `{"id":${++this.#id},${command}}`
  }

  async ask(command) {
    const answered = new Promise(resolve => (this.socket.onText = resolve))
    this.socket.send(this.text(command))
    const answer = await answered
    if (answer.includes('"error"')) throw new Error(`refused: ${answer}`)
    return answer
  }

  close() {
    this.socket.destroy()
  }
}

/** A socket whose messages are split into lines, and whose pings are answered. */
class Lines {
  onText = () => {}
  #socket

  constructor(socket) {
    this.#socket = socket
    socket.onText = text => {
      if (!text.includes('\n')) return this.#line(text)
      for (const line of text.split('\n')) if (line !== '') this.#line(line)
    }
  }

  #line(line) {
    if (line === '{}') this.#socket.send('{}')
    else this.onText(line)
  }

  send(text) {
    this.#socket.send(text)
  }

  destroy() {
    this.#socket.destroy()
  }
}
