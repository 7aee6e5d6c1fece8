/**
 * License keys in files. Only the hash of a key is stored, so a key with an invisible character could never be entered:
 * such characters are removed at the ends and refused inside.
 */

/** Spaces, line ends, and characters without width, such as a byte order mark. */
const ends = /^[\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]+|[\s\u00ad\u200b-\u200f\u2060-\u2064\ufeff]+$/g
/** Controls, spaces other than U+0020, line separators, characters without width, and private use. */
const invisible = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]|(?! )\p{Zs}/u

/** @returns the key without surrounding invisible characters */
export function trimKey(key: string): string {
  return key.replace(ends, '')
}

/** @returns the first invisible character inside a key, as `U+200B`; undefined if there is none */
export function invisibleIn(key: string): string | undefined {
  const [char] = invisible.exec(trimKey(key)) ?? []
  return char === undefined ? undefined : `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}
