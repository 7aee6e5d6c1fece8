// Elements, and the little Markdown that the document's descriptions use. Nothing is ever parsed as HTML.

/**
 * @param {string} tag
 * @param {Record<string, string | boolean>} attributes
 * @param {(Node | string)[]} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? '' : value)
  }
  element.append(...children)
  return element
}

/** `code` and **strong** of one line. */
export function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map(part => {
    if (part.length > 2 && part.startsWith('`')) return make('code', {}, part.slice(1, -1))
    if (part.startsWith('**')) return make('strong', {}, ...inline(part.slice(2, -2)))
    return part
  })
}

function table(lines) {
  const cells = line => line.slice(1, -1).split('|')
  const row = (line, tag, attributes) =>
    make('tr', {}, ...cells(line).map(cell => make(tag, attributes, ...inline(cell.trim()))))
  const [head, , ...rows] = lines
  return make(
    'table',
    {},
    make('thead', {}, row(head, 'th', { scope: 'col' })),
    make('tbody', {}, ...rows.map(line => row(line, 'td', {})))
  )
}

function block(text) {
  const lines = text.split('\n')
  if (text.startsWith('|')) return table(lines)
  if (text.startsWith('- ')) {
    const items = text.slice(2).split('\n- ')
    return make('ul', {}, ...items.map(item => make('li', {}, ...inline(item.replace(/\s+/g, ' ')))))
  }
  return make('p', {}, ...inline(lines.join(' ')))
}

/** Paragraphs, lists and tables. */
export function blocks(text) {
  return text.split(/\n{2,}/).map(block)
}

/** JSON with its colors; the classes are the demo page's. */
export function json(value) {
  const text = JSON.stringify(value, null, 2)
  const parts = text.split(/("(?:[^"\\]|\\.)*"(?:\s*:)?)/).flatMap(part => {
    if (!part.startsWith('"')) {
      return part
        .split(/(-?\d[\d.]*|true|false|null)/)
        .map((each, i) => (i % 2 ? make('span', { class: 'value' }, each) : each))
    }
    return [make('span', { class: part.endsWith(':') ? 'name' : 'text' }, part)]
  })
  return make('code', {}, ...parts)
}
