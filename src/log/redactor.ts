/** Shorter texts are not searched for: they would match by chance. */
const minSecretChars = 6
const mark = '[secret]'

/** Removes secrets from texts for others to read. The last defence: such texts should not contain any. */
export class Redactor {
  readonly #secrets = new Set<string>()

  /** @param secrets  as configured, and in their other encodings */
  constructor(secrets: readonly string[] = []) {
    for (const secret of secrets) this.add(secret)
  }

  add(secret: string): void {
    if (secret.length < minSecretChars) return
    this.#secrets.add(secret)
    // Log lines are JSON.
    this.#secrets.add(JSON.stringify(secret).slice(1, -1))
  }

  /** Replaces known secrets, and the user info of every URL. */
  readonly redact = (text: string): string => {
    let redacted = text.includes('@') ? text.replace(/:\/\/[^/\s"]*@/g, '://***@') : text
    for (const secret of this.#secrets) {
      if (redacted.includes(secret)) redacted = redacted.replaceAll(secret, mark)
    }
    return redacted
  }
}
