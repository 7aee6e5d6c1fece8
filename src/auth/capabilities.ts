/** What a client may do (PROTOCOL §3). A pattern is literal characters, then at most one final `*`. */
export interface Capabilities {
  /** Channels that the client may join. */
  readonly subscribe: readonly string[]
  /** Channels that the client may publish to. */
  readonly publish: readonly string[]
  /** Services whose licenses the client may validate. */
  readonly services: readonly string[]
}

/** Whether one of the patterns matches a name. */
export function isAllowed(patterns: readonly string[], name: string): boolean {
  return patterns.some(pattern => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern))
}

/** Whether one of `patterns` matches everything that the pattern `wanted` matches. */
export function isWithin(patterns: readonly string[], wanted: string): boolean {
  return patterns.some(pattern =>
    pattern.endsWith('*') ? wanted.startsWith(pattern.slice(0, -1)) : wanted === pattern
  )
}
