import type { Argument, Command, Context, Flag } from './command.js'
import { Failure, UsageError } from './command.js'
import type { Answer } from './gateway.js'
import { type Column, note, printJson, printLine, printMembers, tablePrinter, write } from './output.js'

/** What many commands share: flags, arguments, and how lists and single things are shown. */

export const jsonFlag: Flag = { name: 'json', kind: 'switch', summary: 'Print JSON, as the gateway answered it.' }

/** Of every command that talks to a running gateway. */
export const gatewayFlags: readonly Flag[] = [
  {
    name: 'url',
    kind: 'text',
    value: '<url>',
    summary: 'The running gateway. Default http://127.0.0.1:8080, or as COUNTERSIGN_HOST and COUNTERSIGN_PORT say.'
  },
  {
    name: 'token',
    kind: 'text',
    value: '<token>',
    summary: 'Its admin token, or an API token. Better in COUNTERSIGN_ADMIN_TOKEN: others can read a command line.'
  },
  {
    name: 'data-dir',
    kind: 'text',
    value: '<folder>',
    summary: 'Where its admin.token is. Default ./data, or COUNTERSIGN_DATA_DIR.'
  },
  jsonFlag
]

export const clientArgument: Argument = { name: 'clientId', summary: 'the client' }
export const licenseArgument: Argument = { name: 'licenseId', summary: 'the license (lic_…)' }

export const capabilityFlags: readonly Flag[] = [
  {
    name: 'subscribe',
    kind: 'list',
    value: '<patterns>',
    member: 'subscribe',
    summary: 'Channels it may subscribe to, e.g. news,room:*.'
  },
  { name: 'publish', kind: 'list', value: '<patterns>', member: 'publish', summary: 'Channels it may publish to.' },
  {
    name: 'services',
    kind: 'list',
    value: '<patterns>',
    member: 'services',
    summary: 'Services whose licenses it may validate, e.g. shop-*.'
  }
]

export const attributeFlag: Flag = {
  name: 'attribute',
  kind: 'pairs',
  value: '<name=value>',
  member: 'attributes',
  summary: 'A note for operators; several times for several. Given ones take the place of all there were.'
}

/** The body of a change, which must change something. */
export function changesOf({ values }: Context): Record<string, unknown> {
  const body = values.body()
  if (Object.keys(body).length === 0) throw new UsageError('nothing to change: give at least one flag')
  return body
}

/** Shows one answer. @param names  the members to show, in order */
export async function show({ io, values }: Context, answer: Answer, names: readonly string[]): Promise<void> {
  await (values.has('json') ? printJson(io, answer) : printMembers(io, answer, names))
}

/** What was done, where there is nothing to show. */
export async function done({ io, values }: Context, text: string): Promise<void> {
  if (!values.has('json')) await printLine(io, text)
}

/** Items of a page. */
function itemsOf(page: Answer): readonly unknown[] {
  if (!Array.isArray(page['items'])) throw new Failure('the gateway answered with no list: is it of another version?')
  return page['items']
}

const allPageItems = 1000

/** Pages of a list, each as it comes. */
export async function* pagesOf(
  { gateway }: Pick<Context, 'gateway'>,
  address: string,
  query: Readonly<Record<string, string>>
): AsyncGenerator<readonly unknown[]> {
  let after: string | undefined
  do {
    const search = new URLSearchParams({
      ...query,
      limit: String(allPageItems),
      ...(after === undefined ? {} : { after })
    })
    const page = await gateway.call('GET', `${address}?${search}`)
    yield itemsOf(page)
    const { next } = page
    if (next === after && next !== undefined) throw new Failure('the gateway gave the same page twice')
    after = typeof next === 'string' ? next : undefined
  } while (after !== undefined)
}

const listFlags: readonly Flag[] = [
  {
    name: 'limit',
    kind: 'integer',
    value: '<count>',
    min: 1,
    max: 1000,
    summary: 'Items of the page. Default 100.'
  },
  { name: 'after', kind: 'text', value: '<next>', summary: 'Go on where the page before ended.' },
  { name: 'all', kind: 'switch', summary: 'Every page; with --json as one array.' }
]

async function printAll(context: Context, address: string, query: Record<string, string>, cols: readonly Column[]) {
  const { io, values } = context
  if (!values.has('json')) {
    const print = tablePrinter(io, cols)
    for await (const items of pagesOf(context, address, query)) await print(items)
    return
  }
  let printed = 0
  for await (const items of pagesOf(context, address, query)) {
    const text = items.map(item => JSON.stringify(item)).join(',\n')
    if (text !== '') await write(io.stdout, `${printed === 0 ? '[' : ','}\n${text}`)
    printed += items.length
  }
  await printLine(io, printed === 0 ? '[]' : '\n]')
}

export interface ListSpec {
  readonly path: Command['path']
  readonly summary: string
  readonly address: string
  readonly columns: readonly Column[]
  readonly flags?: readonly Flag[]
  /** More of the query, from flags. */
  readonly query?: (context: Context) => Record<string, string>
  readonly examples: readonly string[]
}

/** A command that shows a list, a page or all of it. */
export function listCommand({ address, columns, flags = [], query = () => ({}), ...rest }: ListSpec): Command {
  return {
    ...rest,
    args: [],
    flags: [...flags, ...listFlags, ...gatewayFlags],
    async run(context) {
      const { io, values, gateway } = context
      const more = query(context)
      if (values.has('all')) {
        await printAll(context, address, more, columns)
        return 0
      }
      const [limit, after] = [values.number('limit'), values.text('after')]
      const search = new URLSearchParams({
        ...more,
        ...(limit === undefined ? {} : { limit: String(limit) }),
        ...(after === undefined ? {} : { after })
      })
      const page = await gateway.call('GET', `${address}?${search}`)
      if (values.has('json')) await printJson(io, page)
      else {
        const items = itemsOf(page)
        await tablePrinter(io, columns)(items)
        const { next } = page
        if (typeof next === 'string') await note(io, `there is more: --after ${next}, or --all`)
        else if (items.length === 0) await note(io, 'none')
      }
      return 0
    }
  }
}

/** A command that deletes the one thing that its arguments name. */
export function removal(
  path: Command['path'],
  summary: string,
  args: readonly [Argument, ...Argument[]],
  address: (context: Context) => string,
  examples: readonly string[]
): Command {
  return {
    path,
    summary,
    args,
    examples,
    flags: gatewayFlags,
    async run(context) {
      await context.gateway.call('DELETE', address(context))
      const names = args.flatMap(({ name }) => context.values.args(name)).join(' ')
      await done(context, `${path.join(' ')}: ${names}: done`)
      return 0
    }
  }
}
