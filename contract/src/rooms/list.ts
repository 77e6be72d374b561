// The rooms, one line each, in the order of the alphabet. `room.ts` says how to add one.
export { dating } from './dating.ts'
