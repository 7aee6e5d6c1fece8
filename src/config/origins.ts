/** Browser origins: which ones may connect, their syntax, and matching. */

/** Browser origins that may connect. `own`: the gateway's own and loopback pages. */
export type OriginRule =
  | { readonly kind: 'own' }
  | { readonly kind: 'any' }
  | { readonly kind: 'list'; readonly origins: readonly string[] }

/** Each handshake of a browser is compared with all of them. */
export const maxOrigins = 256

/** One or more labels of a host, as browsers write them: lower case, international names in Punycode. */
const labels = '[a-z0-9_-]+(\\.[a-z0-9_-]+)*'
const wildcardOrigin = new RegExp(`^(https?://)\\*(\\.${labels}(:\\d{1,5})?)$`)
const subdomain = new RegExp(`^${labels}$`)
/** Origins of apps and extensions. `URL.origin` is "null" for them, but their pages send scheme and host as written. */
const appOrigin = /^[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._~-]+(:\d{1,5})?$/
/** Schemes without pages. */
const neverSent = /^(wss?|file|ftp|data|blob|about|javascript):/i

/** The origin that a browser sends for a page at this URL; undefined if the text is not such a URL. */
function canonical(text: string): string | undefined {
  const asUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text.replace(/^ws(s?):/i, 'http$1:') : `https://${text}`
  const origin = URL.canParse(asUrl) ? new URL(asUrl).origin : 'null'
  return origin === 'null' || origin.includes('*') ? undefined : origin
}

function isValid(text: string): boolean {
  if (text === 'null') return true
  if (neverSent.test(text)) return false
  if (/^https?:/i.test(text)) return wildcardOrigin.test(text) || (!text.includes('*') && canonical(text) === text)
  return appOrigin.test(text)
}

/** The suggested correction. */
function suggestion(text: string): string {
  if (text.includes('*'))
    return '`*` stands for subdomains only, as in https://*.example.com, or alone for every origin'
  if (/^file:/i.test(text)) return 'pages from files have the origin null; write null to allow it'
  const origin = canonical(text)
  return origin === undefined ? 'write an origin like https://example.com' : `write ${origin}`
}

/** @param origins  the items of the list. @returns every fault, one sentence each, with its correction */
export function checkOriginList(origins: readonly string[]): string[] {
  if (origins.length > maxOrigins) return [`at most ${maxOrigins} origins`]
  if (origins.includes('*')) return origins.length > 1 ? ['`*` must stand alone'] : []
  return origins
    .filter(origin => !isValid(origin))
    .map(origin => `${JSON.stringify(origin)} is not an origin: ${suggestion(origin)}`)
}

/** @param origins  a list without faults */
export function originRuleOf(origins: readonly string[]): OriginRule {
  if (origins.length === 0) return { kind: 'own' }
  return origins[0] === '*' ? { kind: 'any' } : { kind: 'list', origins }
}

function matches(rule: string, origin: string): boolean {
  if (rule === origin) return true
  const [, scheme, suffix] = wildcardOrigin.exec(rule) ?? []
  if (scheme === undefined || suffix === undefined) return false
  if (!origin.startsWith(scheme) || !origin.endsWith(suffix)) return false
  return subdomain.test(origin.slice(scheme.length, -suffix.length))
}

/**
 * Whether an origin is in a list. `https://*.example.com` matches every subdomain at any depth, not example.com itself.
 * @param origin  the header as sent
 */
export function isListedOrigin(origins: readonly string[], origin: string): boolean {
  return origins.some(rule => matches(rule, origin))
}
