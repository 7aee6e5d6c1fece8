import type { HandshakeRates } from '../auth/handshake-limiter.js'
import { type BridgeSettings, defaultAnswerWithinMs } from '../bridge/settings.js'
import type { Config } from '../config/load.js'
import { defaultLimits, type Limits } from '../protocol/limits.js'
import { reapGraceMs } from '../session/connected-sessions.js'
import type { SessionSettings } from '../session/dependencies.js'

/** The settings of sessions that follow from the configuration. */

/** A publication's data is at most half a frame: the rest is for names, escapes and the signature. */
function limitsOf({ frameBytes }: Config): Limits {
  return { ...defaultLimits, frameBytes, dataBytes: Math.min(defaultLimits.dataBytes, Math.floor(frameBytes / 2)) }
}

export function sessionSettingsOf(config: Config, instanceId: string): SessionSettings {
  return {
    instanceId,
    heartbeatIntervalSeconds: config.heartbeatIntervalSeconds,
    heartbeatTimeoutSeconds: config.heartbeatTimeoutSeconds,
    freshChallengeMs: config.freshChallengeMs,
    framesPerSecond: config.rateLimit ? config.framesPerSecond : 0,
    maxSessionsPerClient: config.rateLimit ? config.maxSessionsPerClient : Number.MAX_SAFE_INTEGER,
    limits: limitsOf(config)
  }
}

/** Time from a session's last sign of life to its deadline in the store, in milliseconds. */
export function sessionTimeoutsOf({ heartbeatTimeoutSeconds, bridgeTimeoutSeconds }: Config) {
  return { ws: heartbeatTimeoutSeconds * 1000 + reapGraceMs, bridge: bridgeTimeoutSeconds * 1000 }
}

export function bridgeSettingsOf(config: Config, answerWithinMs: number | undefined): BridgeSettings {
  return {
    heartbeatTimeoutSeconds: config.bridgeTimeoutSeconds,
    lingerMs: config.lingerMs,
    answerWithinMs: answerWithinMs ?? defaultAnswerWithinMs
  }
}

/** 0: no limit. */
export function handshakeRatesOf(config: Config): HandshakeRates {
  const { rateLimit, failedHandshakesPerMinute, handshakesPerMinute } = config
  return {
    failedPerMinute: rateLimit ? failedHandshakesPerMinute : 0,
    succeededPerMinute: rateLimit ? handshakesPerMinute : 0
  }
}
