/**
 * License keys in files. Only a hash of a key is kept, so that a key with a character that nobody sees can never be
 * entered: it is removed where it cannot be meant, at the ends, and refused inside.
 */

/** Spaces, line ends, and what has no width, such as a byte order mark. */
const ends = /^[\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]+|[\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]+$/g
/** Controls, spaces other than U+0020, line separators, what has no width, and private use. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]|(?! )\p{Zs}/u

/** @returns the key without what surrounds it invisibly */
export function trimKey(key: string): string {
  return key.replace(ends, '')
}

/** @returns the first character inside a key that nobody sees, as `U+200B`; undefined without one */
export function invisibleIn(key: string): string | undefined {
  const [char] = invisible.exec(trimKey(key)) ?? []
  return char === undefined ? undefined : `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}
