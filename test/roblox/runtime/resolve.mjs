import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

/** Resolves `require` by string as Luau does: relative to the requiring file, without the extension, or a folder with an init file. */

const endings = ['.luau', '.lua', '/init.luau', '/init.lua']

function isFile(path) {
  return existsSync(path) && statSync(path).isFile()
}

/** Finds the nearest .luaurc with aliases. @returns them and the folder that they are relative to */
function aliasesAbove(folder) {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, '.luaurc')
    const aliases = isFile(file) ? JSON.parse(readFileSync(file, 'utf8')).aliases : undefined
    if (aliases !== undefined) return { aliases, folder: at }
    if (at === '.' || at === dirname(at)) return { aliases: {}, folder: at }
  }
}

/**
 * @param {string} from  the requiring file, relative to the root
 * @param {string} path  `./x`, `../x`, `@self/x` or an alias
 * @returns {string} the file, relative to the root
 */
export function resolveRequire(from, path) {
  const isInit = /(^|\/)init\.luau?$/.test(from)
  // An init file represents its folder: `./` refers to the siblings of the folder, @self to its children.
  const base = isInit ? dirname(dirname(from)) : dirname(from)
  let target
  if (path === '@self' || path.startsWith('@self/')) target = join(dirname(from), path.slice('@self/'.length))
  else if (path.startsWith('./') || path.startsWith('../')) target = join(base, path)
  else if (path.startsWith('@')) {
    const [name, ...rest] = path.slice(1).split('/')
    const { aliases, folder } = aliasesAbove(dirname(from))
    if (aliases[name] === undefined) throw new Error(`${from} requires ${path}: no such alias`)
    target = join(folder, aliases[name], ...rest)
  } else throw new Error(`${from} requires ${path}: must begin with ./, ../ or @`)
  const found = endings.map(ending => normalize(target + ending)).filter(isFile)
  if (found.length === 0) throw new Error(`${from} requires ${path}: no file ${target}.luau`)
  if (found.length > 1) throw new Error(`${from} requires ${path}: ambiguous, ${found.join(' or ')}`)
  return found[0]
}
