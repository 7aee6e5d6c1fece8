/** Shorter texts are not searched for: they would match by chance. */
const minSecretChars = 6
const mark = '[secret]'

/** Removes secrets from texts that others will read. The last defence: what is printed should hold none. */
export class Redactor {
  readonly #secrets = new Set<string>()

  /** @param secrets  as they are configured, and in their other forms */
  constructor(secrets: readonly string[] = []) {
    for (const secret of secrets) this.add(secret)
  }

  add(secret: string): void {
    if (secret.length < minSecretChars) return
    this.#secrets.add(secret)
    // Log lines are JSON.
    this.#secrets.add(JSON.stringify(secret).slice(1, -1))
  }

  /** Replaces the secrets that it knows, and the user info of every URL. */
  readonly redact = (text: string): string => {
    let redacted = text.includes('@') ? text.replace(/:\/\/[^/\s"]*@/g, '://***@') : text
    for (const secret of this.#secrets) {
      if (redacted.includes(secret)) redacted = redacted.replaceAll(secret, mark)
    }
    return redacted
  }
}
