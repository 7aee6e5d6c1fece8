import type { RecordKey } from '../store.js'

/**
 * Every key and channel of the Redis store, built in one place. What one script touches together shares a hash tag,
 * so that it lies in one slot of a cluster (redis.io, cluster specification, "Hash tags").
 */
export interface Keys {
  record(key: RecordKey): string
  /** Ids of one kind of record, for lists in order. */
  index(kind: string): string
  readonly auditHead: string
  readonly auditLog: string
  readonly topics: string
  readonly topicChannel: string
  challenge(token: string): string
  readonly sessionPrefix: string
  readonly sessionDeadlines: string
  readonly sessionIds: string
  readonly sessionsOfClientPrefix: string
  seats(licenseId: string): string
  /** Licenses on which a session sits. */
  seatsOf(sessionId: string): string
  ticket(keyId: string): string
  /** A session of the bridge, and the frames that wait for it. */
  bridge(sessionId: string): string
  bridgeOutbox(sessionId: string): string
  /** Before an instance's id: the channel of words for it. */
  readonly wordPrefix: string
  /** There while the instance lives. */
  instance(instanceId: string): string
  limit(name: string): string
  /** A channel, and the name of its words. */
  channel(name: string): string
  channelHistory(name: string): string
  channelResult(name: string, idempotencyKey: string): string
  /** Who is in a channel: until when, and in order. */
  presenceDeadlines(channel: string): string
  presenceOrder(channel: string): string
  /** Written to see whether writes work. */
  readonly probe: string
}

/** A word that is renewed with each connection, for all prefixes: scripts/include/identity.lua spells it. */
export const generationKey = 'cs:generation'

/** @param prefix  keeps several gateways apart in one Redis; `cs` by default */
export function createKeys(prefix: string): Keys {
  const records = `${prefix}:{records}`
  const sessions = `${prefix}:{sessions}`
  return {
    record: key => `${records}:${key}`,
    index: kind => `${records}@index:${kind}`,
    auditHead: `${records}@audit:head`,
    auditLog: `${records}@audit:log`,
    topics: `${records}@topics`,
    topicChannel: `${prefix}:topics`,
    challenge: token => `${prefix}:challenge:${token}`,
    sessionPrefix: `${sessions}:`,
    sessionDeadlines: `${sessions}@deadlines`,
    sessionIds: `${sessions}@ids`,
    sessionsOfClientPrefix: `${sessions}@client:`,
    seats: licenseId => `${prefix}:seats:{${licenseId}}`,
    seatsOf: sessionId => `${prefix}:seats-of:{${sessionId}}`,
    bridge: sessionId => `${prefix}:bridge:{${sessionId}}`,
    bridgeOutbox: sessionId => `${prefix}:bridge:{${sessionId}}@outbox`,
    wordPrefix: `${prefix}:words:`,
    instance: instanceId => `${prefix}:instance:${instanceId}`,
    ticket: keyId => `${prefix}:ticket:${keyId}`,
    limit: name => `${prefix}:limit:${name}`,
    channel: name => `${prefix}:channel:{${name}}`,
    channelHistory: name => `${prefix}:channel:{${name}}@history`,
    channelResult: (name, key) => `${prefix}:channel:{${name}}@result:${key}`,
    presenceDeadlines: channel => `${prefix}:presence:{${channel}}@deadlines`,
    presenceOrder: channel => `${prefix}:presence:{${channel}}@order`,
    probe: `${prefix}:probe`
  }
}
