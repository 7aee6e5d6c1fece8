import Fastify from 'fastify'

// A bare POST with JSON in and out.
const app = Fastify()
app.post('/echo', async ({ body }) => body)
await app.listen({ port: 0, host: '127.0.0.1' })
process.send({ url: `http://127.0.0.1:${app.server.address().port}` })
