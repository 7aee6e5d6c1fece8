/** What the ACL of Redis refuses, and the rule that would permit it (redis.io, "ACL"). */

/** All that a gateway uses begins so, see `keys.ts`. */
const keyRule = '~cs:*'
const channelRule = '&cs:*'

export interface MissingRule {
  /** What the user may not do, e.g. `run SUBSCRIBE`. */
  readonly refused: string
  /** What to add to its rules, e.g. `+subscribe`. */
  readonly rule: string
}

/**
 * Reads an error of Redis, of a command or of a script. The message may also name the user, which is not repeated.
 * @param script  the text of the script that failed: Redis 7.0 does not name the command in it
 * @returns undefined if it is about something else
 */
export function missingRuleOf(message: string, script = ''): MissingRule | undefined {
  if (!/NOPERM|The user executing the script can't/.test(message)) return undefined
  const [, command] = /the '([\w|.-]+)' command/.exec(message) ?? []
  if (command !== undefined) return { refused: `run ${command.toUpperCase()}`, rule: `+${command.toLowerCase()}` }
  if (/channel/.test(message)) return { refused: 'use a channel', rule: channelRule }
  if (/\bkeys?\b/.test(message)) return { refused: 'use a key', rule: keyRule }
  const called = [...script.matchAll(/redis\.p?call\('(\w+)'/g)].map(([, name = '']) => name)
  const commands = [...new Set(called)].sort()
  if (commands.length === 0) return { refused: 'run a command that a gateway needs', rule: 'what is missing' }
  const rule = commands.map(name => `+${name.toLowerCase()}`).join(' ')
  return { refused: `run ${commands.join(' or ')} in a script`, rule }
}

/** What to do about a missing rule, after a colon. */
export function permitTodo({ rule }: MissingRule): string {
  return `add ${rule} to its rules with ACL SETUSER; docs/operating.md (ACL) lists all that a gateway needs`
}

/** Redis does not permit its user what a gateway needs. The message states the rule that is missing. */
export class NotPermitted extends Error {
  override readonly name = 'NotPermitted'

  constructor(missing: MissingRule) {
    super(`Redis does not permit its user to ${missing.refused}: ${permitTodo(missing)}`)
  }
}
