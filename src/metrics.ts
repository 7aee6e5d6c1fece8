import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { ChannelsObserver } from './channels/channel-manager.js'
import type { SessionObserver } from './session/dependencies.js'

/** Prometheus' view of this instance. Names follow its conventions: base units, `_total` for counters. */
export interface Metrics {
  readonly observer: SessionObserver
  readonly channels: ChannelsObserver
  /** Sets what tells how many polls are held. */
  watchHeldPolls(count: () => number): void
  readonly contentType: string
  render(): Promise<string>
}

/**
 * @param liveSessions  sessions of this instance, right now
 * @param channels      what went wrong on the way of publications, ever
 */
export function createMetrics(
  liveSessions: () => number,
  channels: { readonly dropped: number; readonly restarts: number }
): Metrics {
  const register = new Registry()
  const registers = [register]
  collectDefaultMetrics({ register })

  const handshakes = new Counter({
    name: 'countersign_handshakes_total',
    help: 'Handshakes by result: welcome, or the code that the peer was told',
    labelNames: ['result'],
    registers
  })
  const opened = new Counter({
    name: 'countersign_sessions_opened_total',
    help: 'Sessions opened, by transport',
    labelNames: ['transport'],
    registers
  })
  const ended = new Counter({
    name: 'countersign_sessions_ended_total',
    help: 'Sessions ended, by transport and by code, bye or lost',
    labelNames: ['transport', 'code'],
    registers
  })
  // Once a frame: counted here, and told to prom-client when it is asked, for it hashes labels at each step.
  const framesByType = new Map<string, number>()
  new Counter({
    name: 'countersign_frames_received_total',
    help: 'Verified frames, by type',
    labelNames: ['type'],
    registers,
    collect() {
      this.reset()
      for (const [type, count] of framesByType) this.inc({ type }, count)
    }
  })
  const refusals = new Counter({
    name: 'countersign_frames_refused_total',
    help: 'Frames answered with an error, by code',
    labelNames: ['code'],
    registers
  })
  const validations = new Counter({
    name: 'countersign_validations_total',
    help: 'Answers to validate, by code',
    labelNames: ['code'],
    registers
  })
  const delivered = new Counter({
    name: 'countersign_publications_delivered_total',
    help: 'Publications handed to sessions of this instance, each to each',
    registers
  })
  const holes = new Counter({
    name: 'countersign_channel_holes_total',
    help: 'Times that a publication was found missing and read from the store',
    registers
  })
  const losses = new Counter({
    name: 'countersign_subscriptions_lost_total',
    help: 'Subscriptions ended with INSUFFICIENT_STATE',
    registers
  })
  new Gauge({
    name: 'countersign_sessions',
    help: 'Live sessions of this instance',
    registers,
    collect() {
      this.set(liveSessions())
    }
  })
  new Counter({
    name: 'countersign_publications_dropped_total',
    help: 'Publications dropped between Redis and the sessions because too many waited; recovery repairs it',
    registers,
    collect() {
      this.reset()
      this.inc(channels.dropped)
    }
  })
  new Counter({
    name: 'countersign_subscriber_restarts_total',
    help: 'Times that the connection for publications heard nothing, though they were accepted, and was made anew',
    registers,
    collect() {
      this.reset()
      this.inc(channels.restarts)
    }
  })

  let heldPolls = () => 0
  new Gauge({
    name: 'countersign_bridge_held_polls',
    help: 'Polls of the bridge that are held by this instance',
    registers,
    collect() {
      this.set(heldPolls())
    }
  })

  return {
    observer: {
      handshake: result => handshakes.inc({ result }),
      opened: transport => opened.inc({ transport }),
      ended: (transport, code) => ended.inc({ transport, code }),
      received: type => void framesByType.set(type, (framesByType.get(type) ?? 0) + 1),
      refused: code => refusals.inc({ code }),
      validated: code => validations.inc({ code })
    },
    channels: {
      delivered: subscribers => delivered.inc(subscribers),
      missed: () => holes.inc(),
      lost: subscribers => losses.inc(subscribers)
    },
    watchHeldPolls(count) {
      heldPolls = count
    },
    contentType: register.contentType,
    render: () => register.metrics()
  }
}
