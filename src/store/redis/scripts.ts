import { readFileSync } from 'node:fs'

const files = {
  commit: 'commit',
  auditAfter: 'audit-after',
  recordGet: 'record-get',
  recordsScan: 'records-scan',
  restoreCommit: 'restore-commit',
  challengeFence: 'challenge-fence',
  challengeUse: 'challenge-use',
  sessionOpen: 'session-open',
  sessionEnd: 'session-end',
  licenseSlotRecord: 'license-slot-record',
  licenseSlotAcquire: 'license-slot-acquire',
  rateLimitConsume: 'rate-limit-consume',
  ticketIndexAdd: 'ticket-index-add',
  quotaAdd: 'quota-add',
  channelPublish: 'channel-publish',
  channelRead: 'channel-read',
  channelNewest: 'channel-newest',
  channelTops: 'channel-tops',
  presenceTouch: 'presence-touch',
  presenceLeave: 'presence-leave',
  bridgeOpen: 'bridge-open',
  bridgeExchange: 'bridge-exchange',
  bridgeRead: 'bridge-read',
  bridgeCommit: 'bridge-commit',
  callOpen: 'call-open',
  storeTime: 'store-time'
} as const

/**
 * Scripts that may use the *reserve*: they also run while Redis refuses writes because it has reached `maxmemory`. They
 * protect, end or keep alive something, and need little memory. For some the caller decides, by the name.
 */
const reserveFiles = {
  commitFromReserve: 'commit',
  sessionTouch: 'session-touch',
  sessionReap: 'session-reap',
  bridgeExchangeFromReserve: 'bridge-exchange',
  bridgeCommitFromReserve: 'bridge-commit',
  bridgeTakeOver: 'bridge-take-over',
  bridgeEnd: 'bridge-end',
  callSettle: 'call-settle',
  callDrop: 'call-drop',
  ticketReplace: 'ticket-replace',
  setFromReserve: 'set-from-reserve'
} as const

export type ScriptName = keyof typeof files | keyof typeof reserveFiles

/** Redis 7 and Valkey 8 read flags from the first line (redis.io, "Lua API reference", Script flags). */
const reserveFlag = '#!lua flags=allow-oom\n'

/** Numbers that an instance passes to every call of a script, by name. */
export type ScriptConstants = Readonly<Record<string, number>>

function declare(names: string, constants: ScriptConstants): string {
  const values = names.split(' ').map(name => {
    const value = constants[name]
    if (value === undefined) throw new Error(`a script needs the constant ${name}`)
    return value
  })
  return `local ${names.replaceAll(' ', ', ')} = ${values.join(', ')}`
}

/**
 * A script's text. A line `-- include <name>` stands for a file of `scripts/include` with shared functions, a line
 * `-- constants <name> …` for numbers in the text: Redis parses an argument with every call.
 */
function readScript(file: string, constants: ScriptConstants): string {
  const text = readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), 'utf8')
  return text
    .replace(/^-- include (.+)$/gm, (_line, name: string) => readScript(`include/${name}`, constants))
    .replace(/^-- constants (.+)$/gm, (_line, names: string) => declare(names, constants))
}

export function loadScripts(constants: ScriptConstants): ReadonlyMap<ScriptName, string> {
  const scripts = new Map<ScriptName, string>()
  for (const [name, file] of Object.entries(files)) scripts.set(name as ScriptName, readScript(file, constants))
  for (const [name, file] of Object.entries(reserveFiles)) {
    scripts.set(name as ScriptName, reserveFlag + readScript(file, constants))
  }
  return scripts
}
