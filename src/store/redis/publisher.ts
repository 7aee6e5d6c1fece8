import { type ChannelStore, type Dropped, idempotencyLifeMs, type Published, sessionResultLifeMs } from '../channels.js'
import { dataDigest } from '../data-digest.js'
import { newEpoch } from '../epochs.js'
import type { ChannelLife } from './channel-life.js'
import type { RedisClient } from './client.js'
import type { Keys } from './keys.js'
import { encodeOwners, parseHead } from './owners-suffix.js'
import type { RedisPin } from './pin.js'
import type { PublicationForms } from './pubsub/publication-forms.js'
import { integerOf, listOf, textOf } from './replies.js'
import type { ScriptBatches } from './script-batches.js'

export interface RedisPublisherParts {
  readonly redis: RedisClient
  readonly keys: Keys
  readonly pin: RedisPin
  readonly life: ChannelLife
  readonly batches: ScriptBatches
  readonly forms: Pick<PublicationForms, 'sent'>
}

/** Publishes, see scripts/channel-publish.lua. */
export class RedisPublisher {
  readonly #parts: RedisPublisherParts

  constructor(parts: RedisPublisherParts) {
    this.#parts = parts
  }

  dropListener: ((dropped: Dropped) => void) | undefined

  readonly publish: ChannelStore['publish'] = async (channel, data, options) => {
    const { redis, keys, pin, life, batches, forms } = this.#parts
    const { publishedAt, idempotencyKey, sessionId, owners = '' } = options
    const touched = [keys.channel(channel), keys.channelHistory(channel)]
    let lives = `${life.shorterOf(channel) ?? ''}`
    if (idempotencyKey !== '') {
      touched.push(keys.channelResult(channel, idempotencyKey))
      lives += `:${dataDigest(data)}:${sessionId === undefined ? idempotencyLifeMs : sessionResultLifeMs}`
    }
    const args = [data, publishedAt, newEpoch(), encodeOwners(owners), lives]
    const reply = await batches.add({ keys: touched, shared: [forms.sent], args, bytes: Buffer.byteLength(data) })
    const published = redis.parse(touched.at(-1) ?? '', () => this.#parse(reply))
    // The first publication of a channel, or an emptied store.
    if (published !== 'conflict' && published.offset === 1) await pin.verify()
    return published
  }

  /** @throws UnexpectedReply */
  #parse(reply: unknown): Published | 'conflict' {
    if (typeof reply !== 'string') {
      const [offset, epoch] = listOf(reply)
      return offset === undefined ? 'conflict' : { offset: integerOf(offset), epoch: textOf(epoch), duplicate: true }
    }
    const [offset, epoch = '', ...dropped] = reply.split(':')
    for (let i = 0; i + 1 < dropped.length; i += 2) {
      this.dropListener?.({ ...parseHead(dropped[i] ?? ''), bytes: Number(dropped[i + 1]) })
    }
    return { offset: Number(offset), epoch, duplicate: false }
  }
}
