/** Refusals by the ACL of Redis, and the rules that would permit the commands (redis.io, "ACL"). */

/** Prefix of all keys and channels of a gateway, see `keys.ts`. */
const keyRule = '~cs:*'
const channelRule = '&cs:*'

export interface MissingRule {
  /** The refused action, e.g. `run SUBSCRIBE`. */
  readonly refused: string
  /** The missing rule, e.g. `+subscribe`. */
  readonly rule: string
}

/**
 * Reads an error of Redis, of a command or of a script. The message may also name the user, which is not quoted.
 * @param script  the text of the script that failed: Redis 7.0 does not name the command in it
 * @returns undefined for other errors
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

/** How to add a missing rule, after a colon. */
export function permitTodo({ rule }: MissingRule): string {
  return `add ${rule} to its rules with ACL SETUSER; docs/operating.md (ACL) lists all that a gateway needs`
}

/** Redis denies its user a permission that a gateway needs. The message states the missing rule. */
export class NotPermitted extends Error {
  override readonly name = 'NotPermitted'

  constructor(missing: MissingRule) {
    super(`Redis does not permit its user to ${missing.refused}: ${permitTodo(missing)}`)
  }
}
