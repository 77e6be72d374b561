import { renderUnicodeCompact } from 'uqr'
import * as z from 'zod'
import { isoTime } from '../output.ts'
import { defineCommand, flag } from './define-command.ts'

export const command = defineCommand({
  summary: 'Open the settings page: see the exact bytes, unlink a channel or allow it again',
  examples: ['settings', 'settings --no-open'],
  options: z.strictObject({ open: flag('Print the link only', true) }),
  run: async (context, options) => (await import('../operations/settings.ts')).openSettings(context, options),
  show: ({ url, expiresAtMs, opened }, style) =>
    [
      opened ? `${style.good('✓')} Opened in your browser.` : 'Open this in a browser:',
      '',
      style.bold(url),
      '',
      renderUnicodeCompact(url, { border: 2 }),
      '',
      `The link works once, until ${isoTime(expiresAtMs)}. A newer link replaces it. Keep it private: it opens your settings.`,
    ].join('\n'),
})
