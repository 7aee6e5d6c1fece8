/** The live game servers: read every two seconds while the page is visible, and at once when one joins or leaves. */

const refreshMs = 2000
const pageSize = 100
const maxServers = 1000

export class ServerList {
  /** By the number of their start. */
  servers = []
  #client
  #game
  #onChange
  #timer
  #isReading = false
  #isStale = false
  #isStopped = false
  /** The gateway's clock minus that of this machine. */
  #skewMs = 0

  /**
   * @param options.client    of the JavaScript SDK
   * @param options.game      clientId of the game servers
   * @param options.onChange  called with the reason why the list could not be read, if there is one
   */
  constructor({ client, game, onChange }) {
    this.#client = client
    this.#game = game
    this.#onChange = onChange
  }

  stop() {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  /** Reads the list now; while that happens, once more afterwards. */
  async refresh() {
    if (this.#isReading || this.#isStopped) {
      this.#isStale = true
      return
    }
    this.#isReading = true
    this.#isStale = false
    clearTimeout(this.#timer)
    let failure
    try {
      const [time, sessions] = await Promise.all([this.#client.heartbeat(), this.#read()])
      this.#skewMs = time - Date.now()
      this.servers = serversOf(sessions)
    } catch (error) {
      failure = error
    }
    this.#isReading = false
    if (this.#isStopped) return
    this.#onChange(failure)
    if (this.#isStale) return this.refresh()
    if (!globalThis.document?.hidden) this.#timer = setTimeout(() => this.refresh(), refreshMs)
  }

  /** The gateway's clock, Unix milliseconds. */
  now() {
    return Date.now() + this.#skewMs
  }

  /** @returns the session that a server has now: it changes when the server renews it */
  sessionOf({ id, sessionId }) {
    return this.servers.find(server => server.id === id)?.sessionId ?? sessionId
  }

  async #read() {
    const sessions = []
    let after
    do {
      const page = await this.#client.sessions(this.#game, {
        limit: pageSize,
        ...(after === undefined ? {} : { after })
      })
      sessions.push(...page.sessions)
      after = page.next
    } while (after !== undefined && sessions.length < maxServers)
    return sessions
  }
}

const number = text => (text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined)

/** The servers of these sessions: one that renews its session has two for a moment, and the newer one counts. */
export function serversOf(sessions) {
  const servers = new Map()
  for (const { sessionId, openedAt, lastSeenAt, transport, attributes } of [...sessions].sort(
    (a, b) => a.openedAt - b.openedAt
  )) {
    const { jobId, players, maxPlayers, placeVersion, startedAt, config } = attributes
    const id = jobId || sessionId
    servers.set(id, {
      id,
      label: id.slice(0, 8),
      sessionId,
      transport,
      players: number(players),
      maxPlayers: number(maxPlayers),
      placeVersion,
      startedAt: startedAt === undefined ? openedAt : (number(startedAt) ?? 0) * 1000 || openedAt,
      lastSeenAt,
      config: number(config)
    })
  }
  return [...servers.values()].sort((a, b) => a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1))
}
