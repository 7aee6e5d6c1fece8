import type { OriginRule } from '../config/load.js'
import { isListedOrigin } from '../config/origins.js'

/** Hosts of pages on the developer's own machine. */
const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Whether a page from this origin may open a WebSocket. CORS does not apply to WebSockets, so the gateway checks itself.
 * Programs other than browsers send no Origin and are always allowed.
 * @param origin  the header as sent
 * @param host    the gateway's host as the browser addressed it
 */
export function isOriginAllowed(rule: OriginRule, origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined || rule.kind === 'any') return true
  if (rule.kind === 'list') return isListedOrigin(rule.origins, origin)
  if (!URL.canParse(origin)) return false
  const url = new URL(origin)
  return url.host === host || loopbackHosts.has(url.hostname)
}
