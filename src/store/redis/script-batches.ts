import type { Argument, RedisClient } from './client.js'
import { keySlot } from './key-slot.js'
import { listOf, UnexpectedReply } from './replies.js'
import type { ScriptName } from './scripts.js'
import { sendAtTurnEnd } from './turn-end.js'

/** Most calls of one script, which blocks Redis while it runs. */
export const maxBatchCalls = 32
/** Most bytes of them; a larger call is alone in its script. */
export const maxBatchBytes = 32 * 1024
/** Most scripts collected at once, on a Cluster one for each slot. Further ones cause them to be sent. */
export const maxOpenBatches = 64

/** The used part of the client. */
type BatchClient = Pick<RedisClient, 'isCluster' | 'script' | 'refused'>

/** A call of a script that takes several. */
export interface BatchCall {
  /** The first key is that of the call's object: calls to one object stay in order. */
  readonly keys: readonly string[]
  /** The first arguments of the script, the same for all of its calls. */
  readonly shared: readonly Argument[]
  readonly args: readonly Argument[]
  /** Of the data, in UTF-8. */
  readonly bytes: number
}

interface Waiting extends BatchCall {
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: unknown) => void
}

class Batch {
  readonly shared: readonly Argument[]
  readonly waiting: Waiting[] = []
  bytes = 0

  constructor(shared: readonly Argument[]) {
    this.shared = shared
  }

  /** Whether a call fits. */
  takes({ shared, bytes }: BatchCall): boolean {
    return this.bytes + bytes <= maxBatchBytes && shared.every((each, i) => each === this.shared[i])
  }

  add({ keys, shared, args, bytes }: BatchCall): Promise<unknown> {
    this.bytes += bytes
    return new Promise((resolve, reject) => this.waiting.push({ keys, shared, args, bytes, resolve, reject }))
  }
}

/** Groups calls to one object, because a script may read and write it once for all of them. */
function groupByObject(waiting: readonly Waiting[]): readonly Waiting[] {
  if (waiting.length === 1) return waiting
  const objects = new Map<string, Waiting[]>()
  for (const each of waiting) {
    const key = each.keys[0] ?? ''
    const others = objects.get(key)
    if (others === undefined) objects.set(key, [each])
    else others.push(each)
  }
  return objects.size === waiting.length ? waiting : [...objects.values()].flat()
}

/**
 * Collects the calls of a script in one turn of the event loop, keeping the order of calls to one object: into one
 * script for the server; on a Cluster into one for each slot, since the keys of a script share a slot.
 */
export class ScriptBatches {
  readonly #redis: BatchClient
  readonly #script: ScriptName
  /** By slot; 0 without a Cluster. */
  readonly #open = new Map<number, Batch>()

  /** @param script  returns a list with the reply or the error of each call; for a single call, its reply alone */
  constructor(redis: BatchClient, script: ScriptName) {
    this.#redis = redis
    this.#script = script
  }

  /** @returns the reply to this call. @throws StoreUnavailable */
  add(call: BatchCall): Promise<unknown> {
    const slot = this.#slotOf(call.keys[0] ?? '')
    if (this.#open.get(slot)?.takes(call) === false) this.#send(slot)
    const batch = this.#open.get(slot) ?? this.#begin(slot, call.shared)
    const reply = batch.add(call)
    if (batch.waiting.length >= maxBatchCalls) this.#send(slot)
    return reply
  }

  /** Sends the collected calls to an object, so that the next command finds their effect. @param key  its first one */
  sendBefore(key: string): void {
    if (this.#open.size > 0) this.#send(this.#slotOf(key))
  }

  /**
   * Sends the collected calls if one of them is to this object, so that later commands follow it. @param key  its first
   * one
   */
  sendIfAny(key: string): void {
    const slot = this.#slotOf(key)
    if (this.#open.get(slot)?.waiting.some(({ keys }) => keys[0] === key)) this.#send(slot)
  }

  #slotOf(key: string): number {
    return this.#redis.isCluster ? keySlot(key) : 0
  }

  #begin(slot: number, shared: readonly Argument[]): Batch {
    if (this.#open.size >= maxOpenBatches) this.#sendAll()
    if (this.#open.size === 0) sendAtTurnEnd(() => this.#sendAll())
    const batch = new Batch(shared)
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

  /** An error of a script applies to all of its calls. */
  async #run({ shared, waiting: inOrder }: Batch): Promise<void> {
    const waiting = groupByObject(inOrder)
    const keys = waiting.flatMap(each => each.keys)
    const args = [...shared, ...waiting.flatMap(each => each.args)]
    try {
      const reply = await this.#redis.script(this.#script, keys, args)
      const replies = waiting.length === 1 ? [reply] : listOf(reply)
      if (replies.length !== waiting.length) throw new UnexpectedReply(reply)
      for (const [i, each] of waiting.entries()) this.#settle(each, replies[i])
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }

  #settle({ keys, resolve, reject }: Waiting, reply: unknown): void {
    if (reply instanceof Error) reject(this.#redis.refused(this.#script, reply, keys))
    else resolve(reply)
  }
}
