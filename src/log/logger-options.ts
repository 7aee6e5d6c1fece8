import type { LoggerOptions } from 'pino'
import { createErrorSerializer } from './error-serializer.js'
import type { Redactor } from './redactor.js'

/** Members that are never logged. */
const redact = {
  paths: ['secret', 'token', 'key', 'authorization', '*.secret', '*.token', '*.key', 'req.headers'],
  censor: '[secret]'
}

/** What is logged of a request. */
interface LoggedRequest {
  readonly method?: string
  readonly url?: string
  readonly host?: string
  readonly ip?: string
  readonly socket?: { readonly remotePort?: number }
}

/** A hwid is part of the path that resets or bans it; a query may hold anything. */
function pathOf(url: string): string {
  const [path = '', query] = url.split('?', 2)
  return path.replace(/\/hwids\/[^/]+/g, '/hwids/…') + (query === undefined ? '' : '?…')
}

function serializeRequest({ method, url, host, ip, socket }: LoggedRequest): object {
  return {
    method,
    url: url === undefined ? undefined : pathOf(url),
    host,
    remoteAddress: ip,
    remotePort: socket?.remotePort
  }
}

/** Options of the gateway's logger: no line holds a secret, a whole error of a library, or a hwid. */
export function loggerOptions(level: string, redactor: Redactor): LoggerOptions {
  const serialize = createErrorSerializer(redactor.redact)
  // Not every cause is an error.
  const serializeErrors = (value: unknown) => (value instanceof Error ? serialize(value) : value)
  return {
    level,
    redact,
    serializers: { err: serialize, error: serializeErrors, cause: serializeErrors, req: serializeRequest }
  }
}
