import type { IncomingHttpHeaders } from 'node:http'
import { isListedOrigin, type OriginRule } from '../config/origins.js'

/**
 * Checks the origins of requests. CORS covers neither WebSockets nor simple POSTs, so the gateway checks them itself.
 */

/** Hosts of pages on the developer's own machine. */
const loopbackHosts = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Whether a page from this origin may use the gateway. Programs other than browsers send no Origin and are always allowed.
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

/**
 * Why the page that sent a request may not do so.
 * @param host  the gateway's host as the browser addressed it
 * @returns undefined if it may
 */
export function foreignOrigin(rule: OriginRule, headers: IncomingHttpHeaders, host: string): string | undefined {
  const { origin } = headers
  if (origin === undefined) {
    // A browser omits Origin when a page loads an image or a script from the gateway.
    const isForeign = rule.kind !== 'any' && headers['sec-fetch-site'] === 'cross-site'
    return isForeign ? 'pages of other sites may not load this (COUNTERSIGN_ALLOWED_ORIGINS)' : undefined
  }
  if (isOriginAllowed(rule, origin, host)) return undefined
  return `the origin ${origin.slice(0, maxShownOrigin)} may not connect (COUNTERSIGN_ALLOWED_ORIGINS)`
}

/** Characters of an origin that an error quotes. */
const maxShownOrigin = 128
