// The page is in English, and so are its times, in the reader's time zone. The directory counts days in UTC.
const english = 'en'
const toTheSecond = {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: 'numeric',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'short',
} as const

export const moment = (ms: number) => new Date(ms).toLocaleString(english, toTheSecond)
export const utcMoment = (ms: number) => new Date(ms).toLocaleString(english, { ...toTheSecond, timeZone: 'UTC' })
export const minuteTime = (ms: number) =>
  new Date(ms).toLocaleTimeString(english, { hour: 'numeric', minute: '2-digit', timeZoneName: 'short' })
export const day = (ms: number) => new Date(ms).toLocaleDateString(english, { dateStyle: 'long', timeZone: 'UTC' })

const list = new Intl.ListFormat(english, { type: 'conjunction' })
export const formatList = (items: string[]) => list.format(items)
