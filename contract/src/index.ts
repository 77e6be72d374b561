export {
  callables,
  endpoints,
  maxBodyBytes,
  maxPageSize,
  publishInput,
  region,
  termsVersion,
  BatchGetInput,
  BatchGetOutput,
  Challenge,
  Config,
  DiscoverInput,
  DiscoverOutput,
  Health,
  Solution,
} from './api.ts'
export type { Callable, CallableName, Caller, Endpoint, EndpointName } from './api.ts'
export { Channel, Channels, handleIdentity, handles, StoredChannels } from './channels.ts'
export { createClient } from './client.ts'
export type { Client } from './client.ts'
export { DirectoryError, errorCodes, invalidArgument, parse } from './errors.ts'
export type { ErrorCode } from './errors.ts'
export { cellOf, centreOf, distanceKm, edgeDistanceKm, geohashAlphabet, geohashOf, sizeKm } from './geohash.ts'
export type { Cell, Point } from './geohash.ts'
export { AgentId, Badge, isOnline, Listing, Milliseconds, Unlink, Unlinks } from './listing.ts'
export { openapi } from './openapi.ts'
export { Area, DatingProfile } from './profile.ts'
export { signInWithToken } from './sign-in.ts'
export { RoomName, rooms } from './rooms.ts'
export type { Room } from './rooms.ts'
