import type { Argument, RedisClient } from './client.js'
import { keySlot } from './key-slot.js'
import type { PublicationForms } from './pubsub/publication-forms.js'
import { listOf, UnexpectedReply } from './replies.js'
import { sendAtTurnEnd } from './turn-end.js'

/** Most publications of one script: Redis does nothing else while it runs. */
export const maxBatchPublications = 32
/** Most bytes of their data; a larger publication is alone in its script. */
export const maxBatchBytes = 32 * 1024
/** Most scripts that are collected at once, on a Cluster one for each slot. Further ones send them. */
export const maxOpenBatches = 64

/** What of the client is used here. */
type BatchClient = Pick<RedisClient, 'isCluster' | 'script' | 'refused'>

/** A publication as scripts/channel-publish.lua reads it. */
export interface ScriptedPublication {
  /** The channel, its history, and the result of its idempotency key if it has one. */
  readonly keys: readonly string[]
  readonly args: readonly Argument[]
  /** Of the data, in UTF-8. */
  readonly bytes: number
}

interface Waiting extends ScriptedPublication {
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: unknown) => void
}

class Batch {
  /** By channel, because the script reads and writes a channel once for publications in a row. */
  readonly #channels = new Map<string, Waiting[]>()
  count = 0
  bytes = 0

  add(publication: ScriptedPublication): Promise<unknown> {
    const key = publication.keys[0] ?? ''
    const waiting = this.#channels.get(key) ?? []
    this.#channels.set(key, waiting)
    this.count++
    this.bytes += publication.bytes
    return new Promise((resolve, reject) => waiting.push({ ...publication, resolve, reject }))
  }

  get waiting(): readonly Waiting[] {
    return [...this.#channels.values()].flat()
  }
}

/**
 * Collects the publications of one turn of the event loop into scripts, those of each channel in their order: one script for
 * the server; on a Cluster one for each slot, since the keys of a script share one.
 */
export class PublicationBatches {
  readonly #redis: BatchClient
  readonly #forms: Pick<PublicationForms, 'sent'>
  /** By slot; 0 without a Cluster. */
  readonly #open = new Map<number, Batch>()

  constructor(redis: BatchClient, forms: Pick<PublicationForms, 'sent'>) {
    this.#redis = redis
    this.#forms = forms
  }

  /** @returns the reply to this publication. @throws StoreUnavailable */
  add(publication: ScriptedPublication): Promise<unknown> {
    const slot = this.#slotOf(publication.keys[0] ?? '')
    const open = this.#open.get(slot)
    if (open !== undefined && open.bytes + publication.bytes > maxBatchBytes) this.#send(slot)
    const batch = this.#open.get(slot) ?? this.#begin(slot)
    const reply = batch.add(publication)
    if (batch.count >= maxBatchPublications) this.#send(slot)
    return reply
  }

  /** Sends the publications of a channel that were collected, so that the next command finds them. @param key  the channel's */
  sendBefore(key: string): void {
    if (this.#open.size > 0) this.#send(this.#slotOf(key))
  }

  #slotOf(key: string): number {
    return this.#redis.isCluster ? keySlot(key) : 0
  }

  #begin(slot: number): Batch {
    if (this.#open.size >= maxOpenBatches) this.#sendAll()
    if (this.#open.size === 0) sendAtTurnEnd(() => this.#sendAll())
    const batch = new Batch()
    this.#open.set(slot, batch)
    return batch
  }

  #sendAll(): void {
    for (const slot of this.#open.keys()) this.#send(slot)
  }

  #send(slot: number): void {
    const batch = this.#open.get(slot)
    if (batch === undefined) return
    this.#open.delete(slot)
    void this.#run(batch)
  }

  /** A script that fails fails for all of its publications. */
  async #run({ waiting }: Batch): Promise<void> {
    const keys = waiting.flatMap(each => each.keys)
    const args = [this.#forms.sent, ...waiting.flatMap(each => each.args)]
    try {
      const reply = await this.#redis.script('channelPublish', keys, args)
      const replies = waiting.length === 1 ? [reply] : listOf(reply)
      if (replies.length !== waiting.length) throw new UnexpectedReply(reply)
      for (const [i, each] of waiting.entries()) this.#settle(each, replies[i])
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }

  #settle({ keys, resolve, reject }: Waiting, reply: unknown): void {
    if (reply instanceof Error) reject(this.#redis.refused('channelPublish', reply, keys))
    else resolve(reply)
  }
}
