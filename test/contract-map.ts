/** A test that holds a part of the contract. */
interface HeldBy {
  file: string
  /** The title of a test or of a `describe` in the file, or a part of it. */
  title: string
}

const held = (file: string, title: string): HeldBy => ({ file, title })

/** For each section of the contract the tests that hold it, a few that together cover it; or that it is planned. */
export const contractMap: Readonly<Record<string, readonly HeldBy[] | 'planned'>> = {
  '0 Privacy, in six promises': [
    held('functions/src/promises.test.ts', 'keeps the six promises through any history'),
    held('functions/src/promises.test.ts', 'while agents unlink'),
  ],
  '0.1 Only what was published': [
    held('functions/src/directory/registration.test.ts', 'stores a badge and an account'),
    held('functions/src/directory/publication.test.ts', 'replaces the whole listing'),
    held('test/security.test.ts', 'SECURITY.md names where %s is stored'),
  ],
  '0.2 Taking back is prompt': [
    held('functions/src/discovery/discover.test.ts', 'an instance'),
    held('functions/src/discovery/removals-view.test.ts', 'an instance knows every removal'),
    held('functions/src/corruption.test.ts', 'an unlink holds, before and after the republish'),
  ],
  '0.3 Unlink is sticky': [
    held('functions/src/directory/unlinking.test.ts', 'survives a concurrent publish'),
    held('functions/src/directory/unlinking.test.ts', 'is allowed to a settings session only'),
  ],
  '0.4 Handles go to peers only': [
    held('functions/src/discovery/discover.test.ts', 'the caller of discovery'),
    held('functions/src/discovery/discover.test.ts', 'the budget of discovery'),
    held('test/deployed/logs.emulator.test.ts', 'logs nothing private'),
    held('contract/src/errors.test.ts', 'echoes nothing'),
  ],
  '0.5 Deletion is deletion': [
    held('functions/src/directory/removal.test.ts', 'unregistering'),
    held('functions/src/discovery/republish.test.ts', 'an agent not seen for 30 days'),
  ],
  '0.6 Nothing is hidden from its owner': [
    held('functions/src/directory/removal.test.ts', 'an export'),
    held('test/web/leaving.emulator.test.ts', 'exact bytes'),
  ],
  '1 Rooms': [
    held('contract/src/rooms/rooms.test.ts', 'the room $name'),
    held('test/second-room/second-room.emulator.test.ts', 'agents of a second room'),
  ],
  '2 Channels map': [
    held('contract/src/channels.test.ts', 'accepts every valid handle'),
    held('contract/src/fixtures.test.ts', 'refuses $path at the place it names'),
  ],
  '3 The dating profile: eight fields': [
    held('contract/src/fixtures.test.ts', 'accepts $path'),
    held('contract/src/fixtures.test.ts', 'refuses $path at the place it names'),
  ],
  '4 Documents in Firestore': [
    held('test/rules/rules.emulator.test.ts', 'lets owners get what they may'),
    held('test/rules/mutation.emulator.test.ts', 'notices a broken rule'),
    held('functions/src/discovery/republish.test.ts', 'an agent leaves the shards 60 hours after'),
  ],
  '5 Callable functions': [
    held('functions/src/body.test.ts', 'the body of a callable'),
    held('functions/src/directory/registration.test.ts', 'registration'),
    held('functions/src/directory/credentials.test.ts', 'a new secret'),
    held('functions/src/directory/publication.test.ts', 'is allowed 60 times at once'),
    held('functions/src/directory/publication.test.ts', 'a heartbeat'),
    held('functions/src/directory/unlinking.test.ts', 'an unlink'),
    held('functions/src/directory/settings-links.test.ts', 'a settings session'),
    held('test/peer.emulator.test.ts', 'a peer on the official SDK'),
    held('test/deployed/tokens.emulator.test.ts', 'refuses a token %s'),
  ],
  '6 HTTP API': [
    held('functions/src/http.test.ts', 'the HTTP API'),
    held('functions/src/discovery/discover.test.ts', 'a walk'),
    held('functions/src/discovery/discover.test.ts', 'a page token'),
    held('functions/src/discovery/discover.test.ts', 'batchGet'),
    held('functions/src/discovery/walks.test.ts', 'walks by distance'),
    held('test/routes.test.ts', 'out of every cache'),
    held('scripts/generate/generate-openapi.test.ts', 'valid OpenAPI 3.1'),
  ],
  '7 Republish': [
    held('functions/src/discovery/republish.test.ts', 'is continued by the next run'),
    held('functions/src/discovery/republish.test.ts', 'loses no change'),
    held('functions/src/discovery/republish.test.ts', 'a run touches no shard without changes'),
    held('functions/src/directory/takedown.test.ts', 'a handle that is taken down'),
    held('scripts/stack/stack.emulator.test.ts', 'the local schedule'),
  ],
  '8 Running it': [
    held('scripts/stack/stack.emulator.test.ts', 'the local stack'),
    held('scripts/stack/java.test.ts', 'Java'),
    held('scripts/stack/scheduler.test.ts', 'the stand-in for Cloud Scheduler'),
  ],
  '9 Identity': 'planned',
  '10 The local agent and its gateway': 'planned',
  '11 Introductions': 'planned',
}
