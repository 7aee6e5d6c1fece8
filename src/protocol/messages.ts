import type { Member } from './check.js'
import { downstreamMembers, upstreamMembers } from './checks.generated.js'
import { ProtocolFault } from './fault.js'
import { parseMessage } from './frame.js'
import type {
  Attributes,
  Downstream,
  DownstreamMessages,
  UpstreamMessages,
  Upstream as UpstreamWithPoll
} from './schemas.js'

/**
 * From the text of a signed part to a typed message: the one place where shapes are checked. What is behind it trusts
 * the types. Unknown members stay where they are and are not looked at.
 */

export type { Attributes, Downstream, DownstreamMessages, UpstreamMessages }
export type Authenticate = UpstreamMessages['authenticate']
export type Poll = UpstreamMessages['poll']
/** What a session can be asked: everything upstream but `poll`, which is an exchange's and has no seq. */
export type Upstream = Exclude<UpstreamWithPoll, Poll | Authenticate>

/** A message of a session, with its seq; or why it cannot be taken, to be said once its seq is found right. */
export type DecodedUpstream =
  | { readonly seq: number; readonly message: Upstream }
  | { readonly seq: number; readonly fault: ProtocolFault }

type Table = Readonly<Record<string, readonly Member[]>>
type Raw = { type: string; [member: string]: unknown }

/** The first member that does not fit, as a fault; nothing when all do. */
function findFault(raw: Raw, members: readonly Member[], seq?: number): ProtocolFault | undefined {
  for (const member of members) {
    const { name } = member
    if (!Object.hasOwn(raw, name)) {
      if (member.required) return new ProtocolFault('INVALID_MESSAGE', `${name} is missing: ${member.expected}`, seq)
      continue
    }
    const value = raw[name]
    if (member.isObject === true && Array.isArray(value) && value.length === 0) raw[name] = {}
    else if (!member.check(value)) {
      const code = member.code !== undefined && typeof value === 'string' ? member.code : 'INVALID_MESSAGE'
      return new ProtocolFault(code, `${name}: expected ${member.expected}`, seq)
    }
  }
  return undefined
}

function membersOf(table: Table, type: string): readonly Member[] | undefined {
  return Object.hasOwn(table, type) ? table[type] : undefined
}

// The only bridges from `unknown` to the types: `findFault` has just held the value against the schema's own checks.
function fits<T>(raw: Raw, fault: ProtocolFault | undefined): raw is Raw & T {
  return raw !== undefined && fault === undefined
}

function readSeq(raw: Raw): number {
  const { seq } = raw
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq) || seq < 1) {
    throw new ProtocolFault('PROTOCOL_ERROR', 'seq must be an integer from 1 to 2^53-1')
  }
  return seq
}

/**
 * Decodes a frame of a session, upstream.
 * @param text  the signed part, as `verifyFrame` returned it
 * @throws ProtocolFault PROTOCOL_ERROR where not even a seq can be read; whatever comes after that is returned
 */
export function decodeUpstream(text: string): DecodedUpstream {
  const raw = parseMessage(text)
  const seq = readSeq(raw)
  if (raw.type === 'authenticate') {
    return { seq, fault: new ProtocolFault('PROTOCOL_ERROR', 'this session is authenticated already', seq) }
  }
  const members = raw.type === 'poll' ? undefined : membersOf(upstreamMembers, raw.type)
  if (members === undefined) return { seq, fault: new ProtocolFault('UNKNOWN_TYPE', undefined, seq) }
  const fault = findFault(raw, members, seq)
  if (fits<Upstream>(raw, fault)) return { seq, message: raw }
  return { seq, fault: fault ?? new ProtocolFault('INTERNAL') }
}

/**
 * Decodes a client's first frame.
 * @throws ProtocolFault PROTOCOL_ERROR, UNSUPPORTED_PROTOCOL
 */
export function decodeAuthenticate(text: string): Authenticate {
  const raw = parseMessage(text)
  if (raw.type !== 'authenticate') throw new ProtocolFault('PROTOCOL_ERROR', 'the first frame is an authenticate')
  const { protocol } = raw
  const fault = findFault({ ...raw, protocol: 'countersign.v1' }, upstreamMembers.authenticate)
  if (fault === undefined && typeof protocol === 'string' && protocol !== 'countersign.v1') {
    throw new ProtocolFault('UNSUPPORTED_PROTOCOL')
  }
  const wrong = fault ?? findFault(raw, upstreamMembers.authenticate)
  if (fits<Authenticate>(raw, wrong)) return raw
  throw new ProtocolFault('PROTOCOL_ERROR', wrong?.message)
}

/**
 * Decodes the poll that ends an exchange (PROTOCOL §9).
 * @throws ProtocolFault PROTOCOL_ERROR
 */
export function decodePoll(text: string): Poll {
  const raw = parseMessage(text)
  const fault = raw.type === 'poll' ? findFault(raw, upstreamMembers.poll) : new ProtocolFault('PROTOCOL_ERROR')
  if (fits<Poll>(raw, fault)) return raw
  throw new ProtocolFault('PROTOCOL_ERROR', fault?.message)
}

/**
 * Decodes a frame from a gateway, on the client's side.
 * @param text  the signed part, or the whole text of an unsigned challenge or error
 * @returns the message; nothing for a type that this version does not know, with its seq where it has one
 * @throws ProtocolFault PROTOCOL_ERROR
 */
export function decodeDownstream(text: string): { readonly seq?: number; readonly message?: Downstream } {
  const raw = parseMessage(text)
  const seq = raw['seq'] === undefined ? {} : { seq: readSeq(raw) }
  const members = membersOf(downstreamMembers, raw.type)
  if (members === undefined) return seq
  const fault = findFault(raw, members)
  if (fits<Downstream>(raw, fault)) return { ...seq, message: raw }
  throw new ProtocolFault('PROTOCOL_ERROR', fault?.message)
}
