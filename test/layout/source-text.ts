import ts from 'typescript'

/** The readable parts of a file: its names, and its prose (comments, test titles, messages). */
export interface ReadableText {
  readonly names: readonly Located[]
  readonly prose: readonly Located[]
}

export interface Located {
  readonly text: string
  /** From 1. */
  readonly line: number
}

/** Functions whose first argument is prose: test titles and log lines. */
const titled = /(^|\.)(test|check|attempt|onSocket|suite|step|it|debug|info|warn|error|fatal|Error|HttpError|failed)$/

function fromTypeScript(path: string, text: string): ReadableText {
  const names: Located[] = []
  const prose: Located[] = []
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line + 1

  function visit(node: ts.Node): void {
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) {
      names.push({ text: node.text, line: lineOf(node.getStart(file)) })
    }
    if ((ts.isCallExpression(node) || ts.isNewExpression(node)) && titled.test(node.expression.getText(file))) {
      for (const argument of node.arguments ?? []) {
        if (!ts.isStringLiteralLike(argument) && !ts.isTemplateExpression(argument)) continue
        prose.push({ text: argument.getText(file), line: lineOf(argument.getStart(file)) })
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(file)

  const scanner = ts.createScanner(ts.ScriptTarget.Latest, false, ts.LanguageVariant.Standard, text)
  const braces: boolean[] = []
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan()) {
    const isComment = token === ts.SyntaxKind.SingleLineCommentTrivia || token === ts.SyntaxKind.MultiLineCommentTrivia
    if (isComment) prose.push({ text: scanner.getTokenText(), line: lineOf(scanner.getTokenStart()) })
    // The scanner needs context to continue a template and to recognize a regular expression.
    if (token === ts.SyntaxKind.TemplateHead) braces.push(true)
    else if (token === ts.SyntaxKind.OpenBraceToken) braces.push(false)
    else if (token === ts.SyntaxKind.CloseBraceToken && braces.pop() === true) {
      if (scanner.reScanTemplateToken(false) === ts.SyntaxKind.TemplateMiddle) braces.push(true)
    } else if (token === ts.SyntaxKind.SlashToken && startsRegExp(text, scanner.getTokenStart())) {
      scanner.reScanSlashToken()
    }
  }
  return { names, prose }
}

/** Whether the `/` at this position begins a regular expression and is not a division. */
function startsRegExp(text: string, position: number): boolean {
  return /(?:[=(,:[!&|?{};+]|=>|\breturn)\s*$/.test(text.slice(Math.max(0, position - 40), position))
}

/** Comments, strings and names of languages whose tokens regular expressions can find. */
function fromTokens(text: string, token: RegExp): ReadableText {
  const names: Located[] = []
  const prose: Located[] = []
  let line = 1
  let last = 0
  for (const { index, groups, 0: whole } of text.matchAll(token)) {
    line += text.slice(last, index).split('\n').length - 1
    last = index
    if (groups?.['comment'] !== undefined) prose.push({ text: whole, line })
    else if (groups?.['name'] !== undefined) names.push({ text: whole, line })
  }
  return { names, prose }
}

const luaToken =
  /(?<comment>--\[(?<depth>=*)\[[\s\S]*?\]\k<depth>\]|--[^\n]*)|(?<string>\[(?<level>=*)\[[\s\S]*?\]\k<level>\]|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`)|(?<name>[A-Za-z_]\w*)/g
const pythonToken =
  /(?<comment>#[^\n]*|(?<=^[ \t]*|^)"""[\s\S]*?""")|(?<string>[bfr]{0,2}(?:"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'))|(?<name>[A-Za-z_]\w*)/gm

/** @throws {Error} for a language that it does not know */
export function readableText(path: string, text: string): ReadableText {
  if (/\.m?[jt]s$/.test(path)) return fromTypeScript(path, text)
  if (/\.luau?$/.test(path)) return fromTokens(text, luaToken)
  if (path.endsWith('.py')) return fromTokens(text, pythonToken)
  throw new Error(`${path}: no rules for this language`)
}

/** `fooBar_baz` as the words of it: `foo bar baz`. */
export function wordsOfName(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .replaceAll(/[_#]+/g, ' ')
    .trim()
    .toLowerCase()
}
