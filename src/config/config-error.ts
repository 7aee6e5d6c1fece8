/** The configuration cannot be used. `problems` lists every fault, one sentence each, and never holds a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(
      `the configuration has ${problems.length === 1 ? 'a fault' : `${problems.length} faults`}:\n  ${problems.join('\n  ')}`
    )
    this.problems = problems
  }
}
