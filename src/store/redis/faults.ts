import { missingRuleOf, NotPermitted } from './acl.js'
import { channelConstants } from './channel-constants.js'
import { loadScripts, type ScriptName } from './scripts.js'

/**
 * Errors of Redis, and of Lua in scripts, about values of another type or form than a gateway writes. Errors within a
 * script end with the script's name: `… on @user_script:3.`
 */
export function isAboutValue(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return /WRONGTYPE|user_script:\d+: |is not an integer|is not a valid float/.test(error.message)
}

/**
 * Explains refusals by the ACL; the error of Redis itself may name the user.
 * @param verb  the name of the command or script
 */
export function explained(error: unknown, verb: string): unknown {
  if (!(error instanceof Error) || !/NOPERM|The user executing/.test(error.message)) return error
  const missing = missingRuleOf(error.message, loadScripts(channelConstants()).get(verb as ScriptName))
  return missing === undefined ? error : new NotPermitted(missing)
}
