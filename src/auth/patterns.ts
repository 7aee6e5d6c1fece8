/** Patterns of names (PROTOCOL §3): literal characters, then at most one final `*`. Every permission check uses these functions. */

/** Channels with these prefixes belong to one client or session (PROTOCOL §10.1). */
const reservedPrefixes = ['client:', 'session:'] as const

function literalOf(pattern: string): string {
  return pattern.endsWith('*') ? pattern.slice(0, -1) : pattern
}

/** Whether one of the patterns matches a name. */
export function matches(patterns: readonly string[], name: string): boolean {
  return patterns.some(pattern => (pattern.endsWith('*') ? name.startsWith(literalOf(pattern)) : name === pattern))
}

/** Whether one of `patterns` matches everything that the pattern `wanted` matches. */
export function covers(patterns: readonly string[], wanted: string): boolean {
  return patterns.some(pattern => (pattern.endsWith('*') ? wanted.startsWith(literalOf(pattern)) : wanted === pattern))
}

/** The reserved prefix that a channel, or a pattern of channels, starts with in full. */
export function reservedPrefixOf(channel: string): string | undefined {
  return reservedPrefixes.find(prefix => channel.startsWith(prefix))
}

/** Reserved channels are matched only by patterns that spell the prefix: `*` does not include them. */
function thatSpell(prefix: string | undefined, patterns: readonly string[]): readonly string[] {
  return prefix === undefined ? patterns : patterns.filter(pattern => pattern.startsWith(prefix))
}

/** Like {@link matches}, for channels. */
export function matchesChannel(patterns: readonly string[], channel: string): boolean {
  return matches(thatSpell(reservedPrefixOf(channel), patterns), channel)
}

/** Like {@link covers}, for channels. */
export function coversChannels(patterns: readonly string[], wanted: string): boolean {
  return covers(thatSpell(reservedPrefixOf(wanted), patterns), wanted)
}
