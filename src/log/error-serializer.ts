/** An error as it is logged. */
export interface LoggedError {
  readonly type: string
  readonly message: string
  readonly code?: string
  readonly stack?: string
  readonly cause?: unknown
}

/** Causes of causes that are logged. */
const maxCauses = 5
const maxMessageChars = 2048
const maxStackChars = 8192

/** Redis and its clones repeat the arguments of a command that they do not know. */
const repeatedArguments = /(with args beginning with:).*/g

function shorten(text: string, maxChars: number, redact: (text: string) => string): string {
  return redact(text.replace(repeatedArguments, '$1 …')).slice(0, maxChars)
}

/** The log form of an error, without secrets. @param redact  removes known secrets from a text */
export function messageOf(error: unknown, redact: (text: string) => string): string {
  return shorten(error instanceof Error ? error.message : String(error), maxMessageChars, redact)
}

/**
 * Makes the serializer of errors. Only the members of {@link LoggedError} are logged: libraries attach whole commands
 * with their arguments, URLs and other inputs to their errors.
 * @param redact  removes known secrets from a text
 */
export function createErrorSerializer(redact: (text: string) => string): (error: unknown) => unknown {
  function serialize(error: unknown, causes: number): unknown {
    if (!(error instanceof Error)) return typeof error === 'string' ? messageOf(error, redact) : typeof error
    const { name, stack, cause } = error
    const code = 'code' in error ? error.code : undefined
    const logged: LoggedError = {
      type: name,
      message: messageOf(error, redact),
      ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
      ...(stack === undefined ? {} : { stack: shorten(stack, maxStackChars, redact) }),
      ...(cause === undefined || causes === 0 ? {} : { cause: serialize(cause, causes - 1) })
    }
    return logged
  }

  return error => serialize(error, maxCauses)
}

/** An error as text, with its causes. @param serialize  see {@link createErrorSerializer} */
export function formatError(error: unknown, serialize: (error: unknown) => unknown): string {
  const lines: string[] = []
  for (let logged = serialize(error); logged !== undefined; ) {
    const { type, message, stack, cause } =
      typeof logged === 'object' && logged !== null
        ? (logged as LoggedError)
        : { type: 'Error', message: String(logged) }
    lines.push(`${lines.length === 0 ? '' : 'caused by '}${stack ?? `${type}: ${message}`}`)
    logged = cause
  }
  return lines.join('\n')
}
