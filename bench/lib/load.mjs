import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

// Load from several processes (servers/load.mjs), each with a part of the connections of one server.

const file = fileURLToPath(new URL('../servers/load.mjs', import.meta.url))
const connectionsOfEach = 5000
/** Descriptors that a process has open besides its connections, and those that the gateway keeps free. */
const otherDescriptors = 400

/** @returns {number} most connections of one process here, by its limit of open files (`ulimit -Hn`) */
export function mostConnections() {
  const { hard } = process.report.getReport().userLimits.open_files
  return hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard) - otherDescriptors
}

const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

class LoadProcess {
  count
  onReceived = () => {}
  #child = fork(file)
  #id = 0
  #waiting = new Map()

  constructor(count) {
    this.count = count
    running.add(this.#child)
    this.#child.on('message', ({ id, received, result, error }) => {
      if (received) return this.onReceived()
      const { resolve, reject } = this.#waiting.get(id)
      this.#waiting.delete(id)
      if (error === undefined) resolve(result)
      else reject(new Error(error))
    })
    this.#child.on('exit', () => {
      running.delete(this.#child)
      for (const { reject } of this.#waiting.values()) reject(new Error('a load process has ended'))
    })
  }

  ask(verb, params = {}) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(++this.#id, { resolve, reject })
      this.#child.send({ id: this.#id, verb, ...params })
    })
  }

  stop() {
    this.#child.kill('SIGKILL')
  }
}

/** Connections to one server. */
export class Load {
  #processes

  constructor(count) {
    const processes = Math.ceil(count / connectionsOfEach)
    const each = i => Math.floor(count / processes) + (i < count % processes ? 1 : 0)
    this.#processes = Array.from({ length: processes }, (_, i) => new LoadProcess(each(i)))
  }

  /** Opens all of them: sessions of the gateway with a credential, bare sockets without. */
  async open(url, credential) {
    await Promise.all(this.#processes.map(each => each.ask('open', { url, credential, count: each.count })))
  }

  /** One request in flight on each connection for `ms`. @returns {Promise<number>} requests answered */
  async request(ms) {
    const answered = await Promise.all(this.#processes.map(each => each.ask('request', { ms })))
    return answered.reduce((sum, each) => sum + each, 0)
  }

  /** The first `count` connections subscribe. */
  async subscribe(count) {
    await Promise.all(this.#shares(count).map(([each, share]) => each.ask('subscribe', { count: share })))
  }

  /**
   * One publication at a time to the first `count` connections for `ms`; the next when all have received the last.
   * @returns {Promise<number>} deliveries
   */
  async fan(count, publish, ms) {
    const shares = this.#shares(count)
    await Promise.all(shares.map(([each, share]) => each.ask('listen', { count: share })))
    const until = performance.now() + ms
    let publications = 0
    do {
      const received = shares.map(([each]) => new Promise(resolve => (each.onReceived = resolve)))
      publish()
      await Promise.all(received)
      publications++
    } while (performance.now() < until)
    return publications * count
  }

  #shares(count) {
    let left = count
    return this.#processes.flatMap(each => {
      const share = Math.min(left, each.count)
      left -= share
      return share === 0 ? [] : [[each, share]]
    })
  }

  stop() {
    for (const each of this.#processes) each.stop()
  }
}
