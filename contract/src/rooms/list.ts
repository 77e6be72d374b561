// The rooms, one line each. A room is one file beside this one and its line here.
export { dating } from './dating.ts'
