/** Times and durations in human-readable form. */

const secondsPer = { s: 1, m: 60, h: 3600, d: 86_400 } as const

/** Accepts `90`, `90s`, `15m`, `12h` and `7d`. @returns seconds, or undefined for anything else */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text)
  if (match === null) return undefined
  const unit = (match[2] === '' ? 's' : match[2]) as keyof typeof secondsPer
  return Number(match[1]) * secondsPer[unit]
}

/**
 * Accepts a date, which means midnight UTC, or a date and time with a zone: without one it would depend on the machine.
 * @returns ISO 8601, or undefined for anything else, such as February 31
 */
export function parseTime(text: string): string | undefined {
  const match = /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/i.exec(text)
  if (match === null) return undefined
  const time = new Date(text.toUpperCase())
  const day = new Date(`${match[1]}T00:00:00Z`)
  if (Number.isNaN(time.getTime()) || time.getTime() < 0) return undefined
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(match[1] ?? '') ? time.toISOString() : undefined
}

/** Drops the milliseconds. */
export function shortTime(iso: string): string {
  return iso.replace(/\.\d{3}Z$/, 'Z')
}

/** `3 s`, `2 min 5 s`, `1 h 4 min`. */
export function shortDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}
