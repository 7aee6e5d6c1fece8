/**
 * Owners of a publication in Redis, as decimals of its time: `<unix ms>.0000<two digits per character>`. Earlier
 * versions read the time as a number, which these decimals do not change: they are less than half of a double's
 * resolution at current times (2^-12 ms). So both versions can read each other's data.
 */
const start = '.0000'
/** Two digits are a character's code minus this: owners are printable ASCII. */
const firstCode = 32

/** @param owners  see store/owners.ts. @returns '' for none */
export function encodeOwners(owners: string): string {
  if (owners === '') return ''
  let text = start
  for (let i = 0; i < owners.length; i++) {
    const code = owners.charCodeAt(i) - firstCode
    text += code < 10 ? `0${code}` : code
  }
  return text
}

/** Bytes of {@link encodeOwners}. */
export function encodedOwnersBytes(owners: string): number {
  return owners === '' ? 0 : start.length + 2 * owners.length
}

export interface PublicationHead {
  /** Unix milliseconds. */
  readonly publishedAt: number
  /** See store/owners.ts; '' if unknown. */
  readonly owners: string
}

/** Reads a time with or without owners. */
export function parseHead(text: string): PublicationHead {
  const dot = text.indexOf('.')
  if (dot === -1) return { publishedAt: Number(text), owners: '' }
  const codes: number[] = []
  for (let i = dot + start.length; i < text.length; i += 2) codes.push(Number(text.slice(i, i + 2)) + firstCode)
  return { publishedAt: Number(text.slice(0, dot)), owners: String.fromCharCode(...codes) }
}
