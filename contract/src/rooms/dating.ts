import type * as z from 'zod'
import { hourMs } from '../limits.ts'
import { area, choice, list, maxDistanceKm, number, numberOrNull, profileSchema } from './fields.ts'
import type { Room } from './room.ts'

const age = { min: 18, max: 120, shown: '{n} years' }

// The eight fields are this project's proposal. They follow no outside standard.
const fields = {
  gender: choice({
    description: 'What the person is',
    label: 'Is',
    question: 'You are …',
    values: { woman: 'a woman', man: 'a man', nonbinary: 'nonbinary', other: 'another gender' },
  }),
  seeking: list({
    description: 'Whom the person looks for; an empty list is anyone',
    label: 'Looks for',
    question: 'Whom do you look for?',
    values: { woman: 'women', man: 'men', nonbinary: 'nonbinary people', other: 'people of another gender' },
    none: 'anyone',
  }),
  age: number({ ...age, description: 'Age in years', label: 'Age', question: 'How old are you, in years?' }),
  ageMin: number({
    ...age,
    description: 'The youngest age sought, in years',
    label: 'Ages sought, from',
    question: 'The youngest age that you look for?',
  }),
  ageMax: number({
    ...age,
    description: 'The oldest age sought, in years, not below ageMin',
    label: 'Ages sought, to',
    question: 'The oldest age that you look for?',
    atLeast: 'ageMin',
  }),
  area: area({ label: 'Area', question: 'Where are you?' }),
  maxDistanceKm: numberOrNull({
    description: 'How far away a match may be, in kilometres; null is anywhere',
    label: 'Distance',
    question: 'How far away may a match be, in kilometres?',
    option: 'max-distance',
    min: 1,
    max: maxDistanceKm,
    shown: 'up to {n} km',
    nullWord: 'anywhere',
  }),
  intent: choice({
    description: 'What the person hopes for',
    label: 'Hopes for',
    question: 'What do you hope for?',
    heading: 'hopes for',
    values: {
      long_term: 'something lasting',
      short_term: 'something short',
      friendship: 'friendship',
      casual: 'something casual',
      open: 'open to what comes',
    },
  }),
}

export const DatingProfile = profileSchema(fields)
export type DatingProfile = z.infer<typeof DatingProfile>

export const dating = {
  title: 'Dating',
  fields,
  profile: DatingProfile,
  dealbreakers: [
    {
      kind: 'sought',
      of: 'gender',
      in: 'seeking',
      mine: { name: 'gender', words: 'of a gender you do not look for' },
      theirs: { name: 'theirGender', words: 'looks for other genders' },
    },
    {
      kind: 'between',
      of: 'age',
      min: 'ageMin',
      max: 'ageMax',
      mine: { name: 'age', words: 'of an age you do not look for' },
      theirs: { name: 'theirAge', words: 'looks for another age' },
    },
    {
      kind: 'near',
      within: 'maxDistanceKm',
      mine: { name: 'distance', words: 'further away than you look' },
      theirs: { name: 'theirDistance', words: 'looks nearer by' },
    },
    {
      kind: 'private',
      of: 'intent',
      name: 'onlyIntents',
      description: 'Intents that a match may have; empty is any. Stays at home',
      label: 'A match may hope for',
      question: 'What may a match hope for?',
      mine: { name: 'intent', words: 'hopes for something that you do not look for' },
    },
  ],
  preferences: [{ by: 'same', of: 'intent', wildcard: 'open' }, { by: 'near' }, { by: 'close', of: 'age' }],
  summary: ['age', 'gender', 'intent'],
  onlineWindowMs: 60 * hourMs,
  budgets: { discoverNewcomer: 100, discover: 1_000, batchGet: 2_000, newcomerMs: 72 * hourMs },
} satisfies Room
