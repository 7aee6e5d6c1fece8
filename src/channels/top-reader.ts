import type { ChannelStore, Position } from '../store/channels.js'
import { StoreUnavailable } from '../store/errors.js'
import type { ChannelStream } from './channel-stream.js'

interface Batch {
  readonly streams: Set<ChannelStream>
  /** Names of channels that the read created, until one of their callers was notified. */
  readonly created: Set<string>
  readonly tops: Promise<ReadonlyMap<ChannelStream, Position>>
}

/** Reads the tops of streams from the store; concurrent requests share one call. */
export class TopReader {
  readonly #store: ChannelStore
  readonly #batchSize: number
  #gathering: Batch | undefined

  constructor(store: ChannelStore, batchSize: number) {
    this.#store = store
    this.#batchSize = batchSize
  }

  /**
   * The store's top of a channel, read after this call. The stream already listens by then.
   * @param onCreated  called if the read created the channel; of those that share the read, the first one's is called
   * @throws StoreUnavailable
   */
  async read(stream: ChannelStream, onCreated?: () => void): Promise<Position> {
    if (this.#gathering === undefined || this.#gathering.streams.size >= this.#batchSize) {
      this.#gathering = this.#startBatch()
    }
    const batch = this.#gathering
    batch.streams.add(stream)
    const top = (await batch.tops).get(stream)
    if (top === undefined) throw new StoreUnavailable(new Error(`the store has no top of ${stream.channel}`))
    if (batch.created.delete(stream.channel)) onCreated?.()
    return top
  }

  #startBatch(): Batch {
    const streams = new Set<ChannelStream>()
    const created = new Set<string>()
    const batch: Batch = {
      streams,
      created,
      tops: Promise.resolve().then(() => {
        if (this.#gathering === batch) this.#gathering = undefined
        return this.#readBatch([...streams], created)
      })
    }
    return batch
  }

  /** Listens first, so that no publication between the two calls is missed. */
  async #readBatch(
    streams: readonly ChannelStream[],
    created: Set<string>
  ): Promise<ReadonlyMap<ChannelStream, Position>> {
    const silent = streams.filter(stream => !stream.isListening)
    if (silent.length > 0) {
      await this.#store.listen(silent.map(stream => stream.channel))
      for (const stream of silent) stream.isListening = true
    }
    const tops = await this.#store.tops(
      streams.map(stream => stream.channel),
      created
    )
    return new Map(streams.flatMap((stream, i) => (tops[i] === undefined ? [] : [[stream, tops[i]] as const])))
  }
}
