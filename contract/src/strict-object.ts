import * as z from 'zod'

/** An object with these keys and no others. */
export function strictObject<const Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: ({ code, input }) =>
      code === 'invalid_type' ? (input === undefined ? 'is required' : 'must be an object') : undefined,
  })
}
