/** What a client may do (PROTOCOL §3). Lists of patterns: literal characters, then at most one final `*`. */
export interface Capabilities {
  readonly subscribe: readonly string[]
  readonly publish: readonly string[]
  readonly services: readonly string[]
}
