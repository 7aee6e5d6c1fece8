/** Horizontal bars as SVG: one panel below the other, each with a scale of its own. */

const [width, labelWidth, valueWidth, barHeight, gap] = [760, 210, 70, 16, 6]

const escapeText = text => text.replace(/[&<>]/g, character => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[character])

/**
 * @param {string} title what it shows, for who does not see it
 * @param {{ title: string, bars: { name: string, value: number, isOurs: boolean }[] }[]} panels
 * @returns {string} an SVG document
 */
export function drawBars(title, panels) {
  const parts = []
  let y = 10
  for (const { title: heading, bars } of panels) {
    const most = Math.max(...bars.map(({ value }) => value))
    parts.push(`<text x="10" y="${y + 14}" font-weight="bold">${escapeText(heading)}</text>`)
    y += 24
    for (const { name, value, isOurs } of [...bars].sort((a, b) => b.value - a.value)) {
      const length = Math.max(1, Math.round((value / most) * (width - labelWidth - valueWidth - 20)))
      parts.push(
        `<text x="${labelWidth}" y="${y + 12}" text-anchor="end">${escapeText(name)}</text>`,
        `<rect x="${labelWidth + 8}" y="${y}" width="${length}" height="${barHeight}" fill="${isOurs ? '#2f6fde' : '#a9b4c2'}"/>`,
        `<text x="${labelWidth + 14 + length}" y="${y + 12}">${value < 10 ? value.toFixed(2) : value.toFixed(0)}</text>`
      )
      y += barHeight + gap
    }
    y += 14
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" font-family="sans-serif" font-size="12">
<title>${escapeText(title)}</title>
<rect width="100%" height="100%" fill="white"/>
<g fill="#222">
${parts.join('\n')}
</g>
</svg>
`
}
