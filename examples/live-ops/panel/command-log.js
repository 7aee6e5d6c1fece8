import { outcomeOf } from './outcomes.js'

/**
 * Gives commands, and keeps what became of them. Each command has an idempotency key, made when its form opens: a double click
 * finds the command that is there already, and after a reload an open command is asked again under its key, so that the gateway
 * answers it from the first run instead of running it twice.
 */

/** The gateway declares an outcome unknown after this time. */
const timeoutMs = 1500
/** The gateway knows a key for 300 s. */
const keyMs = 290_000
const maxCommands = 50
/** Calls of one command that are open at the same time. */
const maxOpen = 32

export class CommandLog {
  /** Newest first. */
  commands = []
  #client
  #receipts
  #storage
  #name
  #onChange

  /**
   * @param options.client     of the JavaScript SDK
   * @param options.receipts   finds the signed answers
   * @param options.storage    `sessionStorage`, or alike
   * @param options.clientId   whose commands are read: keys belong to a client
   * @param options.onChange   called with a command that has changed
   */
  constructor({ client, receipts, storage, clientId, onChange = () => {} }) {
    this.#client = client
    this.#receipts = receipts
    this.#storage = storage
    this.#name = `live-ops:${clientId}`
    this.#onChange = onChange
  }

  /** @returns a new key, for a form that opens */
  static newKey() {
    return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(15)))).replaceAll(/[+/]/g, '_')
  }

  /**
   * Calls a method of one or several servers.
   * @param servers  `{ sessionId, label }` of each
   * @returns once all have an outcome
   */
  call(key, method, data, servers) {
    // The gateway knows each target's call under a key of its own: 20 + 1 + 22 characters.
    const targets = servers.map(({ sessionId, label }) => ({ sessionId, label, key: `${key}.${sessionId}` }))
    return this.#give({ key, kind: 'call', method, data, targets })
  }

  /** Publishes to a channel. */
  publish(key, channel, data) {
    return this.#give({ key, kind: 'publish', method: channel, data, targets: [{ label: 'all servers', key }] })
  }

  /** Asks for the outcome of a command again: it runs only if it has never arrived. */
  async repeat(command, target) {
    if (!canRepeat(command)) return
    await this.#send(command, target)
  }

  /** Reads the commands of this tab from before a reload, and asks for the outcomes of those that were open. */
  resume() {
    this.commands = JSON.parse(this.#storage.getItem(this.#name) ?? '[]')
    for (const command of this.commands) {
      command.isResumed = true
      const open = command.targets.filter(({ state }) => state === 'open')
      for (const target of open)
        Object.assign(target, canRepeat(command) ? {} : outcomeOf({ code: 'RELOADED', outcome: 'unknown' }))
      if (canRepeat(command)) void this.#sendAll(command, open)
    }
    this.#onChange()
  }

  async #give(added) {
    const known = this.commands.find(({ key }) => key === added.key)
    if (known !== undefined) return known
    const command = { ...added, givenAt: Date.now() }
    for (const target of command.targets) target.state = 'open'
    this.commands.unshift(command)
    this.commands.length = Math.min(this.commands.length, maxCommands)
    // Before it is sent, so that a reload finds it.
    this.#save()
    this.#onChange(command)
    await this.#sendAll(command, command.targets)
    return command
  }

  async #sendAll(command, targets) {
    const waiting = [...targets]
    const sendNext = async () => {
      for (let target = waiting.shift(); target !== undefined; target = waiting.shift())
        await this.#send(command, target)
    }
    await Promise.all(Array.from({ length: maxOpen }, sendNext))
  }

  async #send(command, target) {
    const { kind, method, data } = command
    Object.assign(target, { state: 'open', text: undefined, code: undefined })
    this.#onChange(command)
    const startedAt = performance.now()
    let outcome
    try {
      const options = { timeoutMs, idempotencyKey: target.key }
      const result = await (kind === 'call'
        ? this.#client.call({ sessionId: target.sessionId }, method, data, options)
        : this.#client.publish(method, data, options))
      outcome = { state: 'done', result }
    } catch (error) {
      outcome = outcomeOf(error)
    }
    Object.assign(target, outcome, { ms: performance.now() - startedAt }, this.#receipts.remove(target.key))
    this.#save()
    this.#onChange(command)
  }

  #save() {
    try {
      this.#storage.setItem(this.#name, JSON.stringify(this.commands))
    } catch {
      // The storage is full or forbidden: a reload then begins with an empty list.
    }
  }
}

/** Whether the gateway still knows the keys of a command. */
export function canRepeat({ givenAt }) {
  return Date.now() - givenAt < keyMs
}
