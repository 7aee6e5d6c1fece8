import { readFileSync } from 'node:fs'

const files = {
  commit: 'commit',
  challengePut: 'challenge-put',
  challengeConsume: 'challenge-consume',
  sessionOpen: 'session-open',
  sessionEnd: 'session-end',
  sessionReap: 'session-reap',
  licenseSlotAcquire: 'license-slot-acquire',
  rateLimitConsume: 'rate-limit-consume',
  ticketIndexAdd: 'ticket-index-add',
  ticketReplace: 'ticket-replace',
  channelPublish: 'channel-publish',
  channelRead: 'channel-read',
  channelTops: 'channel-tops',
  presenceTouch: 'presence-touch',
  presenceLeave: 'presence-leave',
  bridgeOpen: 'bridge-open',
  bridgeExchange: 'bridge-exchange',
  bridgeRead: 'bridge-read',
  bridgeCommit: 'bridge-commit',
  bridgeTakeOver: 'bridge-take-over',
  bridgeEnd: 'bridge-end'
} as const

export type ScriptName = keyof typeof files

/** A script's text. A line `-- include <name>` stands for a file of `scripts/include` with functions that many share. */
function readScript(file: string): string {
  const text = readFileSync(new URL(`./scripts/${file}.lua`, import.meta.url), 'utf8')
  return text.replace(/^-- include (.+)$/gm, (_line, name: string) => readScript(`include/${name}`))
}

export function loadScripts(): ReadonlyMap<ScriptName, string> {
  return new Map(Object.entries(files).map(([name, file]) => [name as ScriptName, readScript(file)]))
}
