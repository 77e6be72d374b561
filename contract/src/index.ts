export {
  callables,
  endpoints,
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
  Secret,
  Solution,
} from './api.ts'
export type { Callable, CallableName, Caller, Endpoint, EndpointName } from './api.ts'
export {
  Channel,
  channelDefinitions,
  Channels,
  forEachChannel,
  handles,
  StoredChannels,
  storedHandles,
} from './channels.ts'
export { createClient } from './client.ts'
export type { Client } from './client.ts'
export { countryCodeOf, countryName, countryNames, countryOfNumber, numberIn } from './countries.ts'
export { DirectoryError, errorCodes, invalidArgument, parse } from './errors.ts'
export type { ErrorCode } from './errors.ts'
export { cellOf, centreOf, distanceKm, edgeDistanceKm, geohashAlphabet, geohashOf, sizeKm } from './geohash.ts'
export type { Cell, Point } from './geohash.ts'
export {
  challengeLifetimeMs,
  codePattern,
  dayMs,
  defaultPageSize,
  formatDuration,
  goneWithinMs,
  hourMs,
  maxBodyBytes,
  maxPageSize,
  minuteMs,
  republishedWithinMs,
  retentionMs,
  secondMs,
  settingsLinkLifetimeMs,
  settingsSessionMs,
  utcDay,
} from './limits.ts'
export {
  AgentId,
  Badge,
  badgePath,
  isOnline,
  Listing,
  listingPath,
  listingsPath,
  Milliseconds,
  Unlink,
  Unlinks,
  unlinksPath,
} from './listing.ts'
export { readAnswer, unreadableIn } from './read-answer.ts'
export { Area, areaLengths, formatValue, maxDistanceKm } from './rooms/fields.ts'
export type { AreaField, Field, FieldValue, NumberField } from './rooms/fields.ts'
export { DatingProfile } from './rooms/dating.ts'
export type { Dealbreaker, PrivateDealbreaker, Profile, Room } from './rooms/room.ts'
export { defaultRoom, discoverBudget, forEachRoom, RoomName, rooms } from './rooms/rooms.ts'
export { createRouter, parseQuery } from './router.ts'
export type { Route } from './router.ts'
export { signInWithToken } from './sign-in.ts'
