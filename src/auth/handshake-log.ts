/** The peer of a failed handshake, as it claims. */
export interface HandshakePeer {
  /** Absent when the frame could not be read. */
  readonly clientId?: string
  readonly keyId?: string | undefined
  readonly remoteAddress: string
}

export interface HandshakeLog {
  readonly log: { info(fields: object, message: string): void }
  /** Logs the first failures of each reason in a minute, and counts the rest. */
  readonly boundedLog: {
    readonly handshakes: { record(reason: string, logInFull: () => void): void }
  }
}

/** A reason that both transports have. */
export const tooManySessions = 'the client has too many sessions'

/**
 * Logs why a handshake failed. Only operators learn it: the peer gets one answer for every reason. The line is written
 * after the answer, so that its timing does not show whether this reason is still logged.
 * @param reason     for the operator
 * @param countedBy  key of the count per minute: a fixed text where the reason contains values that the peer chose
 */
export function logHandshakeFailure(
  { log, boundedLog }: HandshakeLog,
  message: 'authentication failed' | 'a handshake was malformed' | 'a handshake was refused',
  reason: string,
  { clientId, keyId, remoteAddress }: HandshakePeer,
  countedBy = reason
): void {
  setImmediate(() =>
    boundedLog.handshakes.record(countedBy, () => log.info({ reason, clientId, keyId, remoteAddress }, message))
  )
}
