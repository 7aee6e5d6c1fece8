// Elements of the demo page, and small texts in them.

/**
 * @param {string} id
 * @returns {any}
 */
export const byId = id => document.getElementById(id)

export function make(tag, className, text = '') {
  const element = document.createElement(tag)
  if (className !== '') element.className = className
  element.textContent = text
  return element
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  svg.setAttribute('class', 'icon')
  svg.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', `#${name}`)
  svg.append(use)
  return svg
}

export function dateText(time) {
  return new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })
}

/** A line of a definition list. */
export function detail(name, ...values) {
  return [make('dt', '', name), ...values.map(value => make('dd', '', value))]
}

/** @returns undefined if the text is no JSON */
export function parse(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
