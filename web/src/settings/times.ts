// Times and days in the reader's locale. The directory counts days in UTC.
export const clockTime = (ms: number) => new Date(ms).toLocaleTimeString(undefined, { timeStyle: 'medium' })
export const minuteTime = (ms: number) => new Date(ms).toLocaleTimeString(undefined, { timeStyle: 'short' })
export const day = (ms: number) => new Date(ms).toLocaleDateString(undefined, { dateStyle: 'long', timeZone: 'UTC' })
