/**
 * Words that this code base does not use, each with the standard term that replaces it. docs/glossary.md explains the
 * terms. Wire data, settings and other string contents are exempt: only names, comments and prose are searched.
 */
export interface AvoidedWord {
  /** As a whole word, or as one word of a camelCase or snake_case name. Case does not matter unless `exact` is set. */
  readonly word: RegExp
  /** The replacement. */
  readonly use: string
  /** Where the rule holds: names, prose (comments, titles, messages), or both. Default: both. */
  readonly only?: 'names' | 'prose'
  /** Paths that the rule holds for. Default: all. */
  readonly within?: RegExp
  /** Documents and messages may use it in its ordinary sense. */
  readonly isOrdinary?: true
}

const bridge = /^(src|test)\/bridge\//
const channels = /^(src|test)\/channels\//
const luau = /^roblox\//
const notifying = /^(src|test)\/(auth|bridge|channels|cluster|session|store|ws)\//

export const avoidedWords: readonly AvoidedWord[] = [
  { word: /brak(e|es|ed|ing)/, use: 'HandshakeLimiter; to limit, to slow down' },
  { word: /strangers?/, use: 'unverified requests (UnverifiedRequestLimiter), another client' },
  { word: /hubs?/, use: 'SessionRegistry, InstanceHeartbeat, SessionReaper or RevocationWatcher', isOrdinary: true },
  { word: /guests?/, use: 'RemoteSessions, bridge sessions' },
  { word: /lodg(e|es|ed|ing)/, use: 'register' },
  { word: /bur(y|ies|ied)/, use: 'expire, end' },
  { word: /standing/, use: 'authorization' },
  { word: /judg(e|es|ed|ing)/, use: 'revalidate, check, decide', isOrdinary: true },
  { word: /rights/, use: 'permissions', isOrdinary: true },
  { word: /engines?/, use: 'ChannelBroker', within: channels },
  { word: /followers?/, use: 'ChannelManager' },
  { word: /(?<!line )feeds?/, use: 'ChannelStream' },
  { word: /rings?/, use: 'HistoryBuffer', within: channels },
  { word: /wakings?/, use: 'WakeReason' },
  { word: /lastWords?|last words?/, use: 'terminal reason' },
  { word: /drafts?/, use: 'PendingCommit' },
  { word: /vain/, use: 'obsolete (isObsolete)' },
  { word: /carries/, use: 'a Delivery', only: 'names' },
  { word: /workers?/, use: 'MessageProcessor', within: bridge },
  { word: /collect|collected/, use: 'readPending', within: bridge },
  { word: /tooFarBehind/, use: 'HistoryGap' },
  { word: /topics?/, use: 'ChangeEvent', isOrdinary: true },
  { word: /word/, use: 'notification, ChangeEvent', within: notifying },
  { word: /deaf|deafness/, use: 'LivenessProbe; "not receiving"' },
  { word: /inbox(es)?/, use: 'NotificationQueue, receive queue' },
  { word: /passing/, use: 'ephemeral (store); temporary' },
  { word: /records/, use: 'durable', only: 'names', within: /^(src|test)\/(auth|session|transport)\// },
  { word: /sessionEnvironment/, use: 'SessionDependencies' },
  { word: /tell|tells|told|telling/, use: 'notify, report, send or answer' },
  {
    word: /say|says|said|saying/,
    use: 'send, state, report; name the document ("PROTOCOL §9.2: …")',
    isOrdinary: true
  },
  { word: /(look|looks|looked)(?! up)/, use: 'refresh, reload, check', only: 'names' },
  { word: /so many|so long|so often/, use: 'a number with its unit' },
  { word: /anew/, use: 'again' },
  { word: /beyond/, use: 'above, more than' },
  { word: /at one time/, use: 'concurrently' },
  { word: /laws?/, use: 'specification, limit' },
  { word: /facts?/, use: "params, or the type's own name" },
  // In comments `take` is ordinary English; so is taking over a lease.
  { word: /(take|taken|taking)(?! over)/, use: 'consume, acquire, enqueue, apply or claim', only: 'names' },
  { word: /seats?/, use: 'hwid binding (lasting) or session slot (concurrent use)' },
  { word: /houses?/, use: 'layout, module' },
  { word: /rooms?/, use: 'channel, capacity; module', isOrdinary: true },
  { word: /keepers?/, use: 'SessionManager', within: luau },
  { word: /link/, use: 'Session', only: 'names', within: luau },
  { word: /wake/, use: 'Waiter', only: 'names', within: /^roblox\/src\/Wake/ }
]
