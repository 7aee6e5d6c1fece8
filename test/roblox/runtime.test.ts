import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, relative } from 'node:path'
import t, { type Test } from 'tap'

/** Tests of the runtime and of the test library: bytes are transferred unchanged, and every failure is reported. */

interface Run {
  code: number
  stdout: string
  stderr: string
}

/** Runs these lines as a spec. */
function run(t: Test, lines: string, environment: Record<string, string> = {}): Promise<Run> {
  const folder = relative('.', t.testdir({ 'a.spec.luau': lines, 'broken.luau': 'local = 1' }))
  const args = ['--stack-size=4000', 'test/roblox/runtime/run.mjs', join(folder, 'a.spec.luau')]
  return new Promise(resolve => {
    execFile(process.execPath, args, { env: { ...process.env, ...environment } }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

/** A spec in t.testdir(), with the test library. */
function spec(t: Test, body: string): string {
  const library = relative(t.testdirName, 'roblox/test/testing')
  return `local testing = require("${library}")\nlocal task = require("@lune/task")\n${body}\ntesting.finish()`
}

t.test('reports a failed test and runs the remaining ones', async t => {
  const { code, stdout } = await run(
    t,
    spec(
      t,
      `testing.describe("a", function()
        testing.it("fails", function() testing.expect("x\\n").toBe("y") end)
        testing.it("throws a table", function() error({ code = 7 }) end)
        testing.it("holds", function() end)
      end)`
    )
  )
  t.equal(code, 1)
  t.match(stdout, /^not ok 1 - a › fails\n {2}---\n {2}message: ".*expected .*\n {2}\.\.\.\nnot ok 2 - .*\n/)
  t.match(stdout, /message: ".*code.*7/)
  t.match(stdout, /\nok 3 - a › holds\n1\.\.3\n$/)
})

t.test('fails the file after an error outside of a test', async t => {
  for (const [name, body] of Object.entries({
    'at the top': 'error("boo")',
    'in a thread': 'task.spawn(function() error("boo") end)',
    'in a thread, later': 'task.delay(0, function() error("boo") end) task.wait(0.01)'
  })) {
    const { code, stderr } = await run(t, spec(t, body))
    t.equal(code, 1, name)
    t.match(stderr, /a\.spec\.luau:\d+: boo/, name)
  }
  const { code, stderr } = await run(t, spec(t, 'require("./broken")'))
  t.equal(code, 1)
  t.match(stderr, /broken\.luau:1/)
})

t.test('requests transfer any bytes in both directions, and threads wait for them concurrently', async t => {
  const waiting: (() => void)[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', piece => pieces.push(piece))
    request.on('end', () => {
      waiting.push(() => response.writeHead(201, { 'x-method': String(request.method) }).end(Buffer.concat(pieces)))
      // Both requests arrive before the first one is answered.
      if (waiting.length === 2) for (const answer of waiting.reverse()) answer()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const { code, stdout, stderr } = await run(
    t,
    spec(
      t,
      `local net, process = require("@lune/net"), require("@lune/process")
      local all = {}
      for byte = 0, 255 do table.insert(all, string.char(byte)) end
      local long = string.rep(table.concat(all), 2500)
      local function ask(body)
        local answer = net.request({ url = process.env.ECHO_URL, method = "PUT", headers = { ["x-a"] = "b: c" }, body = body })
        testing.expect(answer.statusCode).toBe(201)
        testing.expect(answer.headers["x-method"]).toBe("PUT")
        testing.expect(answer.body == body).toBe(true)
      end
      testing.it("echoes", function()
        local done = false
        task.spawn(function() ask("\\0short\\255") done = true end)
        ask(long)
        while not done do task.wait() end
      end)`
    ),
    { ECHO_URL: `http://127.0.0.1:${port}/` }
  )
  t.equal(stdout, 'ok 1 - echoes\n1..1\n')
  t.equal(stderr, '')
  t.equal(code, 0)
})
