/** Shows settings without possible secrets: the user info and the query of a URL, even if it does not parse. */

const hidden = '(hidden: not a valid URL)'

const address = String.raw`(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?`
const userInfo = String.raw`(?<userInfo>[^@/?#\s]*@)?`
/** The known forms. The addresses of the last two are lists, and a primary's name follows those of Sentinel. */
const forms = [
  new RegExp(String.raw`^(?<scheme>rediss?:)//${userInfo}(?<rest>${address}(?:/\d{0,5})?)(?<query>\?[^@#]*)?$`),
  new RegExp(
    String.raw`^(?<scheme>rediss?\+sentinel:)//${userInfo}(?<rest>${address}(?:,${address})*/[\w.-]+)(?<query>\?[^@#]*)?$`
  ),
  new RegExp(
    String.raw`^(?<scheme>rediss?\+cluster:)//${userInfo}(?<rest>${address}(?:,${address})*/?)(?<query>\?[^@#]*)?$`
  )
]

/**
 * @param text  a value of COUNTERSIGN_STORE, valid or not
 * @returns its scheme, addresses and path if it has exactly one of the known forms; otherwise none of its text
 */
function showStoreUrl(text: string): string {
  if (text === 'embedded') return text
  for (const form of forms) {
    const { scheme, userInfo, rest, query } = form.exec(text)?.groups ?? {}
    if (scheme === undefined) continue
    return `${scheme}//${userInfo === undefined ? '' : '***@'}${rest}${query === undefined ? '' : '?***'}`
  }
  return hidden
}

/**
 * The value of a setting, for messages. Any setting may contain the URL of a store by mistake.
 * @param name  of a setting that holds no secret itself
 */
export function showSetting(name: string, text: string): string {
  if (name === 'COUNTERSIGN_STORE') return showStoreUrl(text)
  return /@|redis[a-z+]*:\/|password/i.test(text) && /[:?]/.test(text) ? showStoreUrl(text) : text
}

/** An item of a list, as {@link showSetting}: a comma in a URL may have split a password. */
export function showItem(name: string, list: string, item: string): string {
  return showSetting(name, list) === list ? item : hidden
}

/**
 * Whether the end of the user info is ambiguous: an `@` comes after the start of the path or query, or a list of
 * addresses has a second `@`.
 */
export function isAmbiguous(storeUrl: string): boolean {
  return /^[a-z+]+:\/\/[^/?#]*[/?#].*@/s.test(storeUrl) || /^rediss?\+[a-z]+:\/\/.*@.*@/s.test(storeUrl)
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

const parts =
  /^rediss?(?:\+(?<kind>sentinel|cluster))?:\/\/(?:(?<userInfo>.*)@)?(?<list>[^/?#]*)(?:\/(?<path>[^?#]*))?/s

/**
 * @param storeUrl  not ambiguous
 * @returns why it cannot be used, without quoting it; undefined if it can
 */
export function storeUrlFault(storeUrl: string): string | undefined {
  const { kind, userInfo = '', list = '', path = '' } = parts.exec(storeUrl)?.groups ?? {}
  if (!isEncoded(userInfo)) return 'a `%` in the user or password must be followed by two hex digits: write %25 for it'
  if (list === '') return 'no host'
  const addresses = kind === undefined ? [list] : list.split(',')
  if (!addresses.every(item => item !== '' && URL.canParse(`tcp://${item}`))) return 'not a URL'
  if (kind === undefined && !URL.canParse(storeUrl)) return 'not a URL'
  if (kind === undefined && !/^\d*$/.test(path))
    return 'what follows the host is no number of a database: redis://host:6379/0'
  if (kind === 'sentinel' && path === '') return 'redis+sentinel://… must end in /<name of the primary>'
  return undefined
}

/** The password of a URL, as written and as decoded. */
export function passwordsOf(url: string): string[] {
  const [, written] = /:\/\/[^:@/]*:([^/]*)@/.exec(url) ?? []
  const queries = [...url.matchAll(/[?&]password=([^&#]*)/gi)].map(([, value]) => value)
  return [written, ...queries].flatMap(text => {
    if (text === undefined || text === '') return []
    try {
      return [text, decodeURIComponent(text)]
    } catch {
      return [text]
    }
  })
}
