import * as z from 'zod'
import { Advice } from '../advice.ts'
import { defineCommand } from '../command.ts'

export const command = defineCommand({
  options: z.looseObject({}),
  run: () => Promise.reject(new Advice('`koko channels` is not built yet.', 'Wait for it.')),
  show: () => '',
})
