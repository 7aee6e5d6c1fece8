import { signMessage, signText } from '../protocol/frame.js'
import { type FrameText, withSeq } from '../protocol/frame-text.js'
import type { Mac } from '../protocol/mac.js'
import type { Reply } from '../session/handlers/handler.js'
import type { Outgoing } from '../session/outbox.js'
import type { PublicationText } from './read-pending.js'

/** A frame without seq and signature. */
export type Unsigned = Outgoing | FrameText | PublicationText

/** A reply to the message with this seq, before it has a seq itself. */
export function answerTo(seq: number, reply: Reply): Outgoing {
  return Object.assign({ type: reply.type, re: seq }, reply) as Outgoing
}

/** Gives a frame its seq, and signs it. */
export function signOutgoing(signer: Mac, message: Unsigned, seq: number): string {
  if (typeof message === 'string') return signText(signer, `{"type":"publication","seq":${seq},${message}`)
  if ('members' in message) return signText(signer, withSeq(message, seq))
  return signMessage(signer, Object.assign({ type: message.type, seq }, message))
}
