// The rooms, one line each, in alphabetical order. `room.ts` says how to add one.
export { dating } from './dating.ts'
