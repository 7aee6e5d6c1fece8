/** Patterns of capabilities (PROTOCOL §3): literal characters, then at most one final `*`. */

/** Whether a name is matched by one of the patterns. */
export function isAllowed(patterns: readonly string[], name: string): boolean {
  return patterns.some(pattern => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern))
}

/** Whether everything that `wanted` matches is matched by one of `caps`. */
export function isWithin(caps: readonly string[], wanted: string): boolean {
  return caps.some(cap => (cap.endsWith('*') ? wanted.startsWith(cap.slice(0, -1)) : wanted === cap))
}
