import type { ChannelListener, StoredPublication } from '../channels.js'

interface Notification {
  readonly channel: string
  readonly epoch: string
  readonly publication: StoredPublication
}

/** Notifies a listener one publication at a time: publications made during a call are delivered after it. */
export class PublicationNotifier {
  listener: ChannelListener | undefined
  readonly #isListening: (channel: string) => boolean
  readonly #queue: Notification[] = []
  #isNotifying = false

  /** @param isListening  whether the channel is still listened to when its turn comes */
  constructor(isListening: (channel: string) => boolean) {
    this.#isListening = isListening
  }

  notify(channel: string, epoch: string, publication: StoredPublication): void {
    this.#queue.push({ channel, epoch, publication })
    if (this.#isNotifying) return
    this.#isNotifying = true
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        if (this.#isListening(next.channel)) this.listener?.publication(next.channel, next.epoch, next.publication)
      }
    } finally {
      this.#isNotifying = false
    }
  }
}
