import ts from 'typescript'

export interface MeasuredFunction {
  readonly name: string
  /** From the first line of its signature to its closing brace, nested functions included. */
  readonly lines: number
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (node.name !== undefined) return node.name.getText()
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  const { parent } = node
  const isNamed =
    ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent)
  return isNamed ? parent.name.getText() : 'anonymous'
}

/** Functions, methods, accessors and arrow functions of a TypeScript file. */
export function measureFunctions(path: string, text: string): MeasuredFunction[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const found: MeasuredFunction[] = []
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line
  function visit(node: ts.Node): void {
    if (ts.isFunctionLike(node) && 'body' in node && node.body !== undefined) {
      found.push({ name: nameOf(node), lines: lineOf(node.getEnd()) - lineOf(node.getStart(file)) + 1 })
    }
    ts.forEachChild(node, visit)
  }
  visit(file)
  return found
}
