import type * as z from 'zod'
import { hourMs } from '../limits.ts'
import { area, choice, list, maxDistanceKm, number, numberOrNull, profileSchema } from './fields.ts'
import type { Room } from './room.ts'

const age = { min: 18, max: 120, shown: '{n} years' }

// The eight fields are this project's proposal. They follow no outside standard.
const fields = {
  gender: choice({
    description: 'The gender of the person',
    label: 'Gender',
    question: 'What is your gender?',
    values: { woman: 'woman', man: 'man', nonbinary: 'nonbinary', other: 'another gender' },
  }),
  seeking: list({
    description: 'The genders that the person is interested in; an empty list means anyone',
    label: 'Interested in',
    question: 'Who are you interested in?',
    values: { woman: 'women', man: 'men', nonbinary: 'nonbinary people', other: 'people of another gender' },
    none: 'anyone',
  }),
  age: number({ ...age, description: 'Age in years', label: 'Age', question: 'How old are you, in years?' }),
  ageMin: number({
    ...age,
    description: 'The lowest age of a match, in years',
    label: 'Age range, from',
    question: 'What is the lowest age of a match, in years?',
  }),
  ageMax: number({
    ...age,
    description: 'The highest age of a match, in years; not below ageMin',
    label: 'Age range, to',
    question: 'What is the highest age of a match, in years?',
    atLeast: 'ageMin',
  }),
  area: area({ label: 'Area', question: 'Where are you?' }),
  maxDistanceKm: numberOrNull({
    description: 'How far away a match may be, in kilometres; null means anywhere',
    label: 'Distance',
    question: 'How far away may a match be, in kilometres?',
    option: 'max-distance',
    min: 1,
    max: maxDistanceKm,
    shown: 'up to {n} km',
    nullWord: 'anywhere',
  }),
  intent: choice({
    description: 'What the person is looking for',
    label: 'Looking for',
    question: 'What are you looking for?',
    heading: 'looking for',
    values: {
      long_term: 'a long-term relationship',
      short_term: 'something short-term',
      friendship: 'friendship',
      casual: 'something casual',
      open: 'open to anything',
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
      mine: { name: 'gender', words: 'a gender that you are not interested in' },
      theirs: { name: 'theirGender', words: 'not interested in your gender' },
    },
    {
      kind: 'between',
      of: 'age',
      min: 'ageMin',
      max: 'ageMax',
      mine: { name: 'age', words: 'outside your age range' },
      theirs: { name: 'theirAge', words: 'your age is outside their age range' },
    },
    {
      kind: 'near',
      within: 'maxDistanceKm',
      mine: { name: 'distance', words: 'farther away than you accept' },
      theirs: { name: 'theirDistance', words: 'you are farther away than they accept' },
    },
    {
      kind: 'private',
      of: 'intent',
      name: 'onlyIntents',
      description: 'Intents that a match may have; empty means any. Never sent to the directory',
      label: 'What you accept in a match:',
      question: 'What may a match be looking for?',
      mine: { name: 'intent', words: 'looking for something that you do not accept' },
    },
  ],
  preferences: [{ by: 'same', of: 'intent', wildcard: 'open' }, { by: 'near' }, { by: 'close', of: 'age' }],
  summary: ['age', 'gender', 'intent'],
  onlineWindowMs: 60 * hourMs,
  budgets: { discoverNewcomer: 100, discover: 1_000, batchGet: 2_000, newcomerMs: 72 * hourMs },
} satisfies Room
