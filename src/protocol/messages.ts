import { hasOwn, type Member } from './check.js'
import { downstreamMembers, upstreamMembers } from './checks.generated.js'
import { parseMessage } from './frame.js'
import { PollError, ProtocolError } from './protocol-error.js'
import type {
  Attributes,
  Downstream,
  DownstreamMessages,
  UpstreamMessages,
  Upstream as UpstreamWithPoll
} from './schemas.js'

/**
 * Decodes the text of a signed part into a typed message. This is the only place that checks shapes; all code behind it
 * trusts the types. Unknown members stay in the message, unchecked.
 */

export type { Attributes, Downstream, DownstreamMessages, UpstreamMessages }
export type Authenticate = UpstreamMessages['authenticate']
export type Poll = UpstreamMessages['poll']
/** A request within a session: every upstream message except `authenticate`, and `poll`, which has no `seq`. */
export type Upstream = Exclude<UpstreamWithPoll, Poll | Authenticate>

/** A message of a session with its `seq`, or the error to answer once the `seq` proves to be the next one. */
export type DecodedUpstream =
  | { readonly seq: number; readonly message: Upstream }
  | { readonly seq: number; readonly error: ProtocolError }

type Table = Readonly<Record<string, readonly Member[]>>
type Raw = { type: string; [member: string]: unknown }

/** Checks the members in order and returns the first mismatch, or undefined. Replaces `[]` by `{}` for objects (§2). */
function findMismatch(raw: Raw, members: readonly Member[]): Member | undefined {
  for (const member of members) {
    const { name, required, isObject, check } = member
    if (!hasOwn(raw, name)) {
      if (required) return member
      continue
    }
    const value = raw[name]
    const isEmptyList = isObject && Array.isArray(value) && value.length === 0
    if (isEmptyList) raw[name] = {}
    if (!check(isEmptyList ? {} : value)) return member
  }
  return undefined
}

/** Explains a mismatch to the peer. */
function messageOf(raw: Raw, mismatch: Member | undefined): string | undefined {
  if (mismatch === undefined) return undefined
  const { name, expected } = mismatch
  return hasOwn(raw, name) ? `${name}: expected ${expected}` : `${name} is missing: ${expected}`
}

function errorOf(raw: Raw, mismatch: Member, seq: number): ProtocolError {
  const { name, code } = mismatch
  const isText = hasOwn(raw, name) && typeof raw[name] === 'string'
  return new ProtocolError(isText && code !== undefined ? code : 'INVALID_MESSAGE', messageOf(raw, mismatch), seq)
}

function membersOf(table: Table, type: string): readonly Member[] | undefined {
  return hasOwn(table, type) ? table[type] : undefined
}

// The only cast from `unknown` to the message types: `findMismatch` has just run the checks generated from the schema.
function fits<T>(raw: Raw, mismatch: Member | undefined): raw is Raw & T {
  return raw !== undefined && mismatch === undefined
}

function readSeq(raw: Raw): number {
  const { seq } = raw
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1) {
    throw new ProtocolError('PROTOCOL_ERROR', 'seq must be an integer from 1 to 2^53-1')
  }
  return seq
}

/**
 * Decodes an upstream frame of an open session.
 * @param text  the signed part, as `verifyFrame` returned it
 * @returns the message, or the error of a message whose `seq` could be read (the frame still uses up its `seq`)
 * @throws ProtocolError PROTOCOL_ERROR for a text that is not JSON, or without a string `type` or a valid `seq`
 */
export function decodeUpstream(text: string): DecodedUpstream {
  const raw = parseMessage(text)
  const seq = readSeq(raw)
  if (raw.type === 'authenticate') {
    return { seq, error: new ProtocolError('PROTOCOL_ERROR', 'this session is authenticated already', seq) }
  }
  const members = raw.type === 'poll' ? undefined : membersOf(upstreamMembers, raw.type)
  if (members === undefined) return { seq, error: new ProtocolError('UNKNOWN_TYPE', undefined, seq) }
  const mismatch = findMismatch(raw, members)
  if (fits<Upstream>(raw, mismatch)) return { seq, message: raw }
  return { seq, error: mismatch === undefined ? new ProtocolError('INTERNAL') : errorOf(raw, mismatch, seq) }
}

/**
 * Decodes a client's first frame (PROTOCOL §4).
 * @param text  the signed part, as `readSignedText` returned it
 * @throws ProtocolError PROTOCOL_ERROR; UNSUPPORTED_PROTOCOL if `protocol` is the only member that does not fit
 */
export function decodeAuthenticate(text: string): Authenticate {
  const raw = parseMessage(text)
  if (raw.type !== 'authenticate') throw new ProtocolError('PROTOCOL_ERROR', 'the first frame must be an authenticate')
  const { protocol } = raw
  const otherMismatch = findMismatch({ ...raw, protocol: 'countersign.v1' }, upstreamMembers.authenticate)
  if (otherMismatch === undefined && typeof protocol === 'string' && protocol !== 'countersign.v1') {
    throw new ProtocolError('UNSUPPORTED_PROTOCOL')
  }
  const mismatch = otherMismatch ?? findMismatch(raw, upstreamMembers.authenticate)
  if (fits<Authenticate>(raw, mismatch)) return raw
  throw new ProtocolError('PROTOCOL_ERROR', messageOf(raw, mismatch))
}

function isPollNumber(value: number): boolean {
  return upstreamMembers.poll.find(({ name }) => name === 'poll')?.check(value) === true
}

/**
 * Decodes the poll that ends the body of an exchange (PROTOCOL §9).
 * @param text  the signed part, as `verifyFrame` returned it
 * @throws PollError when the text is a poll with a valid number, and another member does not fit
 * @throws ProtocolError PROTOCOL_ERROR
 */
export function decodePoll(text: string): Poll {
  const raw = parseMessage(text)
  if (raw.type !== 'poll') throw new ProtocolError('PROTOCOL_ERROR', 'the last line of an exchange must be a poll')
  const mismatch = findMismatch(raw, upstreamMembers.poll)
  if (fits<Poll>(raw, mismatch)) return raw
  const { poll } = raw
  if (typeof poll === 'number' && isPollNumber(poll)) throw new PollError(poll, messageOf(raw, mismatch))
  throw new ProtocolError('PROTOCOL_ERROR', messageOf(raw, mismatch))
}

/**
 * Decodes a frame from a gateway, on the client's side.
 * @param text  the signed part, or the whole text of an unsigned challenge or error
 * @returns `message` for a known type; `seq` where the frame has one, also for an unknown type, which uses up its `seq`
 * @throws ProtocolError PROTOCOL_ERROR
 */
export function decodeDownstream(text: string): { readonly seq?: number; readonly message?: Downstream } {
  const raw = parseMessage(text)
  const seq = raw['seq'] === undefined ? {} : { seq: readSeq(raw) }
  const members = membersOf(downstreamMembers, raw.type)
  if (members === undefined) return seq
  const mismatch = findMismatch(raw, members)
  if (fits<Downstream>(raw, mismatch)) return { ...seq, message: raw }
  throw new ProtocolError('PROTOCOL_ERROR', `${raw.type}: ${mismatch?.name} is malformed`)
}
