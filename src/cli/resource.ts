import type { Option } from 'commander'
import type { CommandSpec, Invocation } from './command.js'
import { showSecret } from './credential.js'
import { Failure, UsageError } from './errors.js'
import { type Answer, path } from './gateway.js'
import { gatewayOptions, integer, none, text, toggle } from './options.js'
import { type Column, note, printJson, printLine, printMembers, tablePrinter, write } from './output.js'
import { UnreadableRecords } from './unreadable-records.js'

/** Commands that are one request to the HTTP API each, described by data. */

type Described = Omit<CommandSpec, 'run' | 'takesSettings'>

/**
 * The members of a request's body, filled by options of the same name. `none` removes a member: the API receives null.
 */
export function membersOf({ options }: Invocation, names: readonly string[]): Record<string, unknown> {
  const given = names.map(name => [name, options[name] === none ? null : options[name]] as const)
  const { attribute: attributes } = options
  return Object.fromEntries([...given, ['attributes', attributes]].filter(([, value]) => value !== undefined))
}

/** The same for a change. @throws UsageError when it would change nothing */
export function changesOf(invocation: Invocation, names: readonly string[]): Record<string, unknown> {
  const body = membersOf(invocation, names)
  if (Object.keys(body).length === 0) throw new UsageError('nothing to change: give at least one option')
  return body
}

export interface RequestSpec extends Described {
  /** Method and address; `:name` stands for the argument of that name. */
  readonly request: string
  readonly body?: (invocation: Invocation) => object | Promise<object>
  /** Members of the answer to show, in order. Absent: the command only reports success. */
  readonly show?: readonly string[]
  /** The member that holds a secret, shown only this once. */
  readonly secret?: 'secret' | 'token' | 'key'
  /** Describes the change. Default: the command and its arguments. */
  readonly done?: (invocation: Invocation) => string
}

/** The address with its arguments encoded; parts whose argument is missing are left out. */
function addressOf(template: string, { args }: Invocation): string {
  return template
    .split('/')
    .flatMap(part => {
      if (!part.startsWith(':')) return [part]
      const value = args[part.slice(1)]
      return value === undefined ? [] : [path`${value}`]
    })
    .join('/')
}

/** A command that sends one request and shows its answer. */
export function requestCommand({ request, body, show, secret, done, ...described }: RequestSpec): CommandSpec {
  const [method = '', template = ''] = request.split(' ')
  return {
    ...described,
    options: [...(described.options ?? []), ...gatewayOptions],
    async run(invocation) {
      const { io, args, options, gateway } = invocation
      const call = async (): Promise<Answer> =>
        gateway.call(method, addressOf(template, invocation), await body?.(invocation))
      if (secret !== undefined) await showSecret(invocation, show ?? [], secret, call)
      else {
        const answer = await call()
        if (show === undefined) {
          const words = described.usage.replace(/ [<[].*/, '')
          const text = done?.(invocation) ?? `${words}: ${Object.values(args).join(' ')}: done`
          if (!options.json) await printLine(io, text)
        } else if (options.json) await printJson(io, answer)
        else await printMembers(io, answer, show)
      }
      return 0
    }
  }
}

interface Resource {
  readonly noun: string
  readonly address: string
  /** The argument that names one item, and its description. */
  readonly id: string
  readonly idSummary: string
  readonly exampleId: string
  readonly show: readonly string[]
}

export interface ItemCommands {
  show(summary: string): CommandSpec
  /** Sets these members. */
  set(verb: string, body: object, summary: string): CommandSpec
  remove(summary: string): CommandSpec
}

/** The commands on one item that are the same for every resource. */
export function itemCommands({ noun, address, id, idSummary, exampleId, show }: Resource): ItemCommands {
  const describe = (verb: string, summary: string): Described => ({
    usage: `${noun} ${verb} <${id}>`,
    summary,
    args: { [id]: idSummary },
    examples: [`countersign ${noun} ${verb} ${exampleId}`]
  })
  const item = `${address}/:${id}`
  return {
    show: summary => requestCommand({ ...describe('show', summary), request: `GET ${item}`, show }),
    set: (verb, body, summary) =>
      requestCommand({ ...describe(verb, summary), request: `PATCH ${item}`, body: () => body, show }),
    remove: summary => requestCommand({ ...describe('delete', summary), request: `DELETE ${item}` })
  }
}

function itemsOf(page: Answer): readonly unknown[] {
  if (!Array.isArray(page['items'])) throw new Failure('the answer of the gateway has no items: is it another version?')
  return page['items']
}

const maxPageItems = 1000

/**
 * All pages of a list, each as it arrives.
 * @param unreadable  receives the unreadable records that each page names
 * @throws Failure when the gateway repeats a page
 */
export async function* pagesOf(
  { gateway }: Pick<Invocation, 'gateway'>,
  address: string,
  query: Readonly<Record<string, string>> = {},
  unreadable: UnreadableRecords = new UnreadableRecords()
): AsyncGenerator<readonly unknown[]> {
  let after: string | undefined
  do {
    const limit = String(maxPageItems)
    const search = new URLSearchParams({ ...query, limit, ...(after === undefined ? {} : { after }) })
    const page = await gateway.call('GET', `${address}?${search}`)
    unreadable.add(page)
    yield itemsOf(page)
    const { next } = page
    if (next === after && next !== undefined) throw new Failure('the gateway sent the same page twice')
    after = typeof next === 'string' ? next : undefined
  } while (after !== undefined)
}

/** Writes pages as one JSON array, an item a line. @param put  receives the text, piece by piece */
export async function writeJsonArray(
  pages: AsyncIterable<readonly unknown[]>,
  put: (text: string) => Promise<void> | void
): Promise<void> {
  let isEmpty = true
  for await (const items of pages) {
    if (items.length === 0) continue
    await put(`${isEmpty ? '[' : ','}\n${items.map(item => JSON.stringify(item)).join(',\n')}`)
    isEmpty = false
  }
  await put(isEmpty ? '[]\n' : '\n]\n')
}

export interface ListSpec extends Described {
  readonly address: string
  readonly columns: readonly Column[]
  /** Filters, from options. */
  readonly query?: (invocation: Invocation) => Record<string, string>
}

const listOptions: readonly Option[] = [
  integer('--limit <count>', 'Items per page. Default 100.', { min: 1, max: maxPageItems }),
  text('--after <next>', 'Continue where the previous page ended.'),
  toggle('--all', 'Every page; with --json as one array.')
]

/** A command that shows one page of a list, or all of it. */
export function listCommand({ address, columns, query = () => ({}), ...described }: ListSpec): CommandSpec {
  return {
    ...described,
    options: [...(described.options ?? []), ...listOptions, ...gatewayOptions],
    async run(invocation) {
      const { io, options, gateway } = invocation
      const filters = query(invocation)
      const print = tablePrinter(io, columns)
      const unreadable = new UnreadableRecords()
      const noun = address.slice(address.lastIndexOf('/') + 1)
      if (options.all) {
        const pages = pagesOf(invocation, address, filters, unreadable)
        if (options.json) await writeJsonArray(pages, chunk => write(io.stdout, chunk))
        else for await (const items of pages) await print(items)
        await unreadable.report(io, noun)
        return 0
      }
      const { limit, after } = options
      const search = new URLSearchParams({
        ...filters,
        ...(limit === undefined ? {} : { limit: String(limit) }),
        ...(after === undefined ? {} : { after })
      })
      const page = await gateway.call('GET', `${address}?${search}`)
      unreadable.add(page)
      if (options.json) await printJson(io, page)
      else {
        const items = itemsOf(page)
        await print(items)
        if (typeof page['next'] === 'string') await note(io, `there is more: --after ${page['next']}, or --all`)
        else if (items.length === 0 && unreadable.count === 0) await note(io, 'none')
      }
      await unreadable.report(io, noun)
      return 0
    }
  }
}
