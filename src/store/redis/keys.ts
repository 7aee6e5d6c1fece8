import type { RecordKey } from '../durable.js'

/** An hour longer than the longest session (24 h): a backstop behind the reaper. */
export const sessionKeyLifeMs = 25 * 60 * 60 * 1000

/**
 * Every key and channel of the Redis store. Keys that one script uses together share a hash tag, so that they are in
 * one slot of a Cluster (redis.io, cluster specification, "Hash tags"). Some spellings are older than the names here,
 * since stored data must stay readable.
 */
export interface Keys extends RecordKeys {
  readonly staged: RecordKeys & { readonly restoreId: string }
  record(key: RecordKey): string
  /** Ids of one kind of record, for lists in order. */
  index(kind: string): string
  readonly auditHead: string
  readonly changeEvents: string
  readonly changeChannel: string
  /** See scripts/challenge-fence.lua. */
  readonly challengeFence: string
  usedChallenge(token: string): string
  readonly sessionPrefix: string
  readonly sessionDeadlines: string
  readonly sessionIds: string
  /** Traffic of each session. */
  readonly sessionCounts: string
  /** Sessions ordered by frames. */
  readonly sessionTop: string
  readonly sessionsOfClientPrefix: string
  /** Sessions with a slot of a license. */
  licenseSlots(licenseId: string): string
  /** Licenses that a session has a slot of. */
  licensesOfSession(sessionId: string): string
  ticket(keyId: string): string
  /** KeyIds of tickets ordered by expiry, for lists. */
  readonly ticketIndex: string
  bridge(sessionId: string): string
  /** Unacknowledged frames of a bridge session. */
  bridgeOutbox(sessionId: string): string
  /** Followed by an instance's id: the channel of its notifications. */
  readonly notificationPrefix: string
  /** A call by the id of its record. */
  call(recordId: string): string
  /** Followed by an instance's id: the channel of other instances' texts to it about calls. */
  readonly callPrefix: string
  /** Exists while the instance is alive. */
  instance(instanceId: string): string
  rateLimit(name: string): string
  /** The state of a channel; publications are notified on a Redis channel of the same name. */
  channel(name: string): string
  channelHistory(name: string): string
  channelResult(name: string, idempotencyKey: string): string
  /** The use of quotas by a client or a token. */
  quota(owner: string): string
  presenceDeadlines(channel: string): string
  presenceOrder(channel: string): string
  /** Written to test whether writes work. */
  readonly probe: string
}

/** The location of records and the audit log, or of their staged counterparts. */
interface RecordKeys {
  /** Followed by a record's key. */
  readonly recordPrefix: string
  /** Followed by the kind of records in the index. */
  readonly indexPrefix: string
  readonly auditLog: string
}

/** A random value that each connection renews, shared by all prefixes. scripts/include/identity.lua spells this key. */
export const generationKey = 'cs:generation'

function recordKeys(base: string): RecordKeys {
  return { recordPrefix: `${base}:`, indexPrefix: `${base}@index:`, auditLog: `${base}@audit:log` }
}

/** @param prefix  separates several gateways in one Redis; `cs` by default */
export function createKeys(prefix: string): Keys {
  const records = `${prefix}:{records}`
  const sessions = `${prefix}:{sessions}`
  const challenges = `${prefix}:{challenges}`
  return {
    ...recordKeys(records),
    staged: { ...recordKeys(`${records}@restore`), restoreId: `${records}@restore:id` },
    record: key => `${records}:${key}`,
    index: kind => `${records}@index:${kind}`,
    auditHead: `${records}@audit:head`,
    changeEvents: `${records}@topics`,
    changeChannel: `${prefix}:topics`,
    challengeFence: `${challenges}@fence`,
    usedChallenge: token => `${challenges}:${token}`,
    sessionPrefix: `${sessions}:`,
    sessionDeadlines: `${sessions}@deadlines`,
    sessionIds: `${sessions}@ids`,
    sessionCounts: `${sessions}@counts`,
    sessionTop: `${sessions}@top`,
    sessionsOfClientPrefix: `${sessions}@client:`,
    licenseSlots: licenseId => `${prefix}:seats:{${licenseId}}`,
    licensesOfSession: sessionId => `${prefix}:seats-of:{${sessionId}}`,
    bridge: sessionId => `${prefix}:bridge:{${sessionId}}`,
    bridgeOutbox: sessionId => `${prefix}:bridge:{${sessionId}}@outbox`,
    notificationPrefix: `${prefix}:words:`,
    call: recordId => `${prefix}:call:${recordId}`,
    callPrefix: `${prefix}:calls:`,
    instance: instanceId => `${prefix}:instance:${instanceId}`,
    ticket: keyId => `${prefix}:ticket:${keyId}`,
    ticketIndex: `${prefix}:tickets`,
    rateLimit: name => `${prefix}:limit:${name}`,
    channel: name => `${prefix}:channel:{${name}}`,
    channelHistory: name => `${prefix}:channel:{${name}}@history`,
    channelResult: (name, key) => `${prefix}:channel:{${name}}@result:${key}`,
    quota: owner => `${prefix}:quota:{${owner}}`,
    presenceDeadlines: channel => `${prefix}:presence:{${channel}}@deadlines`,
    presenceOrder: channel => `${prefix}:presence:{${channel}}@order`,
    probe: `${prefix}:probe`
  }
}
