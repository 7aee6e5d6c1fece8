import type {
  ChannelListener,
  ChannelPage,
  ChannelState,
  ChannelStore,
  PageRequest,
  Position,
  Published,
  StoredPublication
} from '../../src/store/channels.js'
import { StoreUnavailable } from '../../src/store/store.js'

interface Notification {
  readonly channel: string
  readonly epoch: string
  readonly publication: StoredPublication
}

interface Channel {
  epoch: string
  offset: number
  history: StoredPublication[]
}

/**
 * A store whose notifications wait until the test delivers them: in any order, several times, or never. Its answers are
 * correct, or it does not answer.
 */
export class FakeStore implements ChannelStore {
  readonly #channels = new Map<string, Channel>()
  readonly #historySize: number
  #listener: ChannelListener | undefined
  #epochs = 0
  readonly listened = new Set<string>()
  /** Notifications under way. */
  notifications: Notification[] = []
  /** Calls so far, by method. */
  readonly calls = { read: 0, newest: 0, tops: 0, listen: 0, unlisten: 0 }
  isAway = false
  isReceiving = true
  lagMs = 0
  readonly counts = { dropped: 0, restarts: 0 }
  /** Reads wait for this promise. */
  readGate: Promise<void> = Promise.resolve()

  constructor(historySize = 1000) {
    this.#historySize = historySize
  }

  #channel(name: string): Channel {
    const channel = this.#channels.get(name) ?? { epoch: `e${++this.#epochs}`, offset: 0, history: [] }
    this.#channels.set(name, channel)
    return channel
  }

  #requireHere(): void {
    if (this.isAway) throw new StoreUnavailable()
  }

  topOf(name: string): Position {
    const { offset, epoch } = this.#channel(name)
    return { offset, epoch }
  }

  async publish(name: string, data: string): Promise<Published> {
    this.#requireHere()
    const channel = this.#channel(name)
    const publication = { offset: ++channel.offset, data, publishedAt: 0 }
    channel.history.push(publication)
    if (channel.history.length > this.#historySize) channel.history.shift()
    if (this.listened.has(name)) this.notifications.push({ channel: name, epoch: channel.epoch, publication })
    return { offset: channel.offset, epoch: channel.epoch, duplicate: false }
  }

  async read(name: string, after: Position | undefined, limit: number): Promise<ChannelState> {
    this.calls.read++
    await this.readGate
    this.#requireHere()
    const { epoch, offset, history } = this.#channel(name)
    const top = { offset, epoch }
    if (after === undefined || after.epoch !== epoch || after.offset > offset) return { top }
    const missed = offset - after.offset
    if (missed > limit || missed > history.length) return { top }
    return { top, publications: missed === 0 ? [] : history.slice(-missed) }
  }

  /** Bytes are not bounded here. */
  async newest(name: string, { before, limit }: PageRequest): Promise<ChannelPage> {
    this.calls.newest++
    await this.readGate
    this.#requireHere()
    const { epoch, offset, history } = this.#channel(name)
    const top = { offset, epoch }
    if (before !== undefined && before.epoch !== epoch) return { top, publications: [], more: false }
    const older = history.filter(each => before === undefined || each.offset < before.offset)
    return { top, publications: older.slice(-limit), more: older.length > limit }
  }

  async tops(names: readonly string[]): Promise<readonly Position[]> {
    this.calls.tops++
    this.#requireHere()
    return names.map(name => this.topOf(name))
  }

  async findRepeat(): Promise<undefined> {}

  bytesOf(data: string): number {
    return data.length
  }

  onDrop(): void {}

  async exists(name: string): Promise<boolean> {
    return this.#channels.has(name)
  }

  removeExpired(): void {}

  async listen(names: readonly string[]): Promise<void> {
    this.calls.listen++
    this.#requireHere()
    for (const name of names) this.listened.add(name)
  }

  unlisten(names: readonly string[]): void {
    this.calls.unlisten++
    for (const name of names) this.listened.delete(name)
  }

  onPublication(listener: ChannelListener): void {
    this.#listener = listener
  }

  // ── For tests ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Delivers a notification; it may be delivered again. */
  deliver(notification: Notification | undefined): void {
    if (notification === undefined) return
    this.#listener?.publication(notification.channel, notification.epoch, notification.publication)
  }

  deliverAll(): void {
    for (const notification of this.notifications.splice(0)) this.deliver(notification)
  }

  mayHaveMissed(): void {
    this.#listener?.mayHaveMissed()
  }

  /** The store comes back with another identity and without history: offsets continue under a new epoch. */
  rewind(name: string): void {
    const channel = this.#channel(name)
    channel.epoch = `e${++this.#epochs}`
    channel.history = []
  }
}
