/** Helpers for elements. Text is always set as text, never as HTML: players choose their names. */

export const byId = id => document.getElementById(id)

/**
 * @param {string} tag
 * @param properties  of the element; `class` is its class name, `data` its dataset
 */
export function make(tag, { class: className, data, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  if (className !== undefined) element.className = className
  Object.assign(element.dataset, data)
  element.append(...children)
  return element
}

/** Sets the text of an element if it differs, so that a selection in it survives. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/** Milliseconds as "42 s", "7 min", "3 h 10 min" or "2 d 4 h". */
export function durationText(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}
