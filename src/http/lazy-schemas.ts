import { AjvCompiler, type BuildCompilerFromPool } from '@fastify/ajv-compiler'
import { type SerializerFactory, SerializerSelector } from '@fastify/fast-json-stringify-compiler'

/** Shared by all servers of a process, so that each schema is compiled once. */
const buildValidators = AjvCompiler()

type CompileValidator = ReturnType<BuildCompilerFromPool>
type Validate = ReturnType<CompileValidator>

/** Runs `create` at the first call. */
function once<T>(create: () => T): () => T {
  let created: { readonly value: T } | undefined
  return () => {
    created ??= { value: create() }
    return created.value
  }
}

/**
 * Compile the schema of a request or a response when it is first used. A server has about 100 schemas, and compiling
 * them all took most of its start. Invalid schemas are found by test/http/lazy-schemas.test.ts instead of at the start.
 */
export function createLazyCompilers(): {
  readonly buildValidator: BuildCompilerFromPool
  readonly buildSerializer: SerializerFactory
} {
  return {
    buildValidator(externalSchemas, options) {
      const compiler = once(() => buildValidators(externalSchemas, options))
      return (...route: Parameters<CompileValidator>) => lazyValidate(once(() => compiler()(...route)))
    },
    buildSerializer(externalSchemas, options) {
      const compile = SerializerSelector()(externalSchemas, options)
      return route => {
        const serialize = once(() => compile(route))
        return data => serialize()(data)
      }
    }
  }
}

/** Fastify reads the errors from the function. */
function lazyValidate(compiled: () => Validate): Validate {
  const validate = (data: unknown) => {
    const run = compiled()
    const isValid = run(data)
    Object.assign(validate, { errors: run.errors })
    return isValid
  }
  return validate as Validate
}
