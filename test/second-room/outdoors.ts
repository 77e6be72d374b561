import { hourMs } from '../../contract/src/limits.ts'
import {
  area,
  choice,
  list,
  maxDistanceKm,
  number,
  numberOrNull,
  profileSchema,
} from '../../contract/src/rooms/fields.ts'
import type { Room } from '../../contract/src/rooms/room.ts'

const days = { min: 1, max: 7, shown: '{n} days a week' }

const fields = {
  level: choice({
    description: 'How experienced the person is',
    label: 'Level',
    question: 'How experienced are you?',
    values: { beginner: 'a beginner', regular: 'out regularly', expert: 'an expert' },
  }),
  sports: list({
    description: 'The sports the person does; an empty list is any',
    label: 'Sports',
    question: 'Which sports do you do?',
    values: { hiking: 'hiking', climbing: 'climbing', paddling: 'paddling', skiing: 'skiing' },
    none: 'any sport',
  }),
  days: number({ ...days, description: 'Days a week outdoors', label: 'Outdoors', question: 'How many days a week?' }),
  daysMin: number({
    ...days,
    description: 'The fewest days a week sought',
    label: 'Days sought, from',
    question: 'The fewest days a week that you look for?',
  }),
  daysMax: number({
    ...days,
    description: 'The most days a week sought, not below daysMin',
    label: 'Days sought, to',
    question: 'The most days a week that you look for?',
    atLeast: 'daysMin',
  }),
  area: area({ label: 'Area', question: 'Where are you?' }),
  travelKm: numberOrNull({
    description: 'How far away a partner may be, in kilometres; null means anywhere',
    label: 'Distance',
    question: 'How far away may a partner be, in kilometres?',
    min: 1,
    max: maxDistanceKm,
    shown: 'up to {n} km',
    nullWord: 'anywhere',
  }),
}

export const outdoors = {
  title: 'Outdoor sports',
  fields,
  profile: profileSchema(fields),
  dealbreakers: [
    { kind: 'shared', of: 'sports', mine: { name: 'sports', words: 'does none of your sports' } },
    {
      kind: 'between',
      of: 'days',
      min: 'daysMin',
      max: 'daysMax',
      mine: { name: 'days', words: 'is outdoors on too few or too many days' },
      theirs: { name: 'theirDays', words: 'looks for somebody with other days' },
    },
    {
      kind: 'near',
      within: 'travelKm',
      mine: { name: 'distance', words: 'further away than you look' },
      theirs: { name: 'theirDistance', words: 'looks nearer by' },
    },
    {
      kind: 'private',
      of: 'level',
      name: 'onlyLevels',
      description: 'Levels that a partner may have; empty means any. Never sent to the directory',
      label: 'A partner may be',
      question: 'Which levels may a partner have?',
      mine: { name: 'level', words: 'of a level that you do not look for' },
    },
  ],
  preferences: [{ by: 'near' }, { by: 'same', of: 'level' }, { by: 'close', of: 'days' }],
  summary: ['level', 'sports', 'days'],
  onlineWindowMs: 60 * hourMs,
  budgets: { discoverNewcomer: 100, discover: 500, batchGet: 1_000, newcomerMs: 24 * hourMs },
} satisfies Room
