/**
 * A connection may be healthy and yet hear nothing: it hangs on a server that is none any more, or something between
 * swallows what comes. Silence alone proves nothing. So after some of it a probe is published as anything is, and when
 * that was accepted and yet is not heard, the connection is deaf and is made anew.
 */
export interface LivenessProbe {
  /** Something was heard. */
  heard(): void
  /** The connection is up and has subscribed (true), or is not (false). */
  connected(up: boolean): void
  /** To be called now and then, several times per interval. */
  check(): void
  readonly deaf: boolean
}

/** Silence after which a probe is published; and after an accepted probe, silence that proves deafness. Milliseconds. */
export const silenceMs = 10_000
/** The intervals between restarts double up to so many. */
const maxIntervals = 10

export interface LivenessProbeOptions {
  readonly silenceMs?: number
  /** Milliseconds that only go forward. */
  readonly now: () => number
  /** Publishes a probe that is to be heard. @throws whatever keeps it from being accepted: then nothing is proved */
  readonly probe: () => Promise<void>
  readonly restart: () => void
}

export function createLivenessProbe({
  silenceMs: interval = silenceMs,
  now,
  probe,
  restart
}: LivenessProbeOptions): LivenessProbe {
  let up = false
  let lastHeardAt = now()
  let deaf = false
  let restarts = 0
  // Of a probe that has not been heard: being published, or accepted at that time.
  let probing: 'publishing' | number | undefined
  // Counts probes that no longer matter.
  let generation = 0

  function publishProbe(): void {
    const mine = generation
    probing = 'publishing'
    probe().then(
      () => {
        if (mine === generation) probing = now()
      },
      // Not the subscriber's fault.
      () => {
        if (mine === generation) probing = undefined
      }
    )
  }

  function forgetProbe(): void {
    generation++
    probing = undefined
  }

  return {
    heard() {
      lastHeardAt = now()
      deaf = false
      restarts = 0
      if (probing !== undefined) forgetProbe()
    },
    connected(isUp) {
      up = isUp
      forgetProbe()
      lastHeardAt = now()
      // One that was deaf is believed when it hears.
      if (up && deaf) publishProbe()
    },
    check() {
      if (!up) return
      if (probing === undefined) {
        if (deaf || now() - lastHeardAt >= interval) publishProbe()
        return
      }
      if (probing === 'publishing') return
      const patience = interval * Math.min(2 ** restarts, maxIntervals)
      if (now() - probing < patience) return
      deaf = true
      restarts++
      forgetProbe()
      restart()
    },
    get deaf() {
      return deaf
    }
  }
}
