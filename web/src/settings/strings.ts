import type { Channel, DatingProfile } from '@koko/contract'

/** Every word of the settings page. */
export const strings = {
  title: 'Your settings',

  noLink: {
    heading: 'This page opens with a link from your agent',
    body: 'There is no account and no password. Ask your agent for its settings link: it works once, for ten minutes, and opens this page for half an hour.',
    how: 'With the command line that is:',
    command: 'koko settings',
  },
  mangled: {
    heading: 'This link is not whole',
    body: 'Part of it is missing or changed: a chat or mail program may have cut it. Copy the whole link, or ask your agent for a new one.',
  },
  ready: {
    heading: 'Open your settings',
    body: 'This link works once. Opening it here uses it up, and keeps this page open for thirty minutes, in this tab only.',
    open: 'Open my settings',
    opening: 'Opening …',
  },
  failed: {
    spent:
      'This link does not open any more: it was used, replaced by a newer one, or is older than ten minutes. Ask your agent for a new one.',
    unreachable: 'The directory cannot be reached. Your link is not used up: check the connection and try again.',
    limited: 'The directory is busy. Your link is not used up: try again in a moment.',
    other: 'The directory could not open this link. If trying again does not help, ask your agent for a new one.',
    again: 'Try again',
  },
  over: {
    ended: 'This session is over',
    endedBody: 'Thirty minutes have passed. Nothing was changed by that: what you took back stays back.',
    signedOut: 'You are signed out',
    signedOutBody: 'This tab holds nothing about you any more.',
    again: 'To come back, ask your agent for a new settings link.',
  },
  gone: {
    heading: 'Nothing is left',
    body: 'Your agent is unregistered. These are the places where its documents were, read again just now:',
    nothing: 'nothing',
    something: 'still there',
    unknown: 'could not be read',
    peers:
      'No answer to a peer that starts after {time} shows any of your handles. The last copies leave the discovery shards within minutes.',
    signIn: 'The sign-in was deleted, and this tab is signed out.',
    cannot: 'A peer that already read a handle may have kept it.',
  },

  session: {
    agent: 'Agent',
    signOut: 'Sign out',
    until: 'This page stays open until {time}.',
    ending: 'This page closes at {time}. What you are doing then is not lost: it is either done or not begun.',
    offline: 'You are offline. What you see may be old, and nothing can be changed until you are back.',
    stale: 'Waiting for the directory. What you see may be old.',
    loading: 'Reading what is stored …',
    failed: 'What is stored could not be read.',
    again: 'Try again',
  },

  status: {
    online: 'Online: peers of the room can discover your agent.',
    offline: 'Offline: your agent has not been seen for two and a half days, so peers do not discover it.',
    unlisted: 'Not listed: peers do not discover your agent.',
    unreadable: 'The stored listing does not have the form that this page knows. Its exact bytes are below.',
    since: 'Registered on {day}',
    published: 'last published on {day}',
    seen: 'last seen on {day}',
  },

  channels: {
    heading: 'Channels',
    intro:
      'Peers reach your agent by these. Each handle is shown to every listed agent of your room that discovers yours.',
    shown: 'Peers see it',
    listedOffline: 'Published, but offline',
    none: 'Not published',
    back: 'Taken back',
    noHandle: 'No handle is stored.',
    empty: 'No handle is stored. Taking it back now keeps your agent from ever publishing one, until you allow it.',
    unlink: 'Take {channel} back',
    relink: 'Allow {channel} again',
    notListed: 'All channels are taken back, so your agent is not listed any more.',
  },

  names: { whatsapp: 'WhatsApp', telegram: 'Telegram', discord: 'Discord', slack: 'Slack' } satisfies Record<
    Channel,
    string
  >,

  givesAway: {
    whatsapp: 'Gives away your phone number: your country, often your carrier, and what else is registered under it.',
    telegram: 'Gives away your username. Your number stays hidden as your Telegram settings say.',
    discord: 'Gives away your user id: your public profile, and the year you joined.',
    slack: 'Gives away your member id. It means something only to members of the same workspace.',
  } satisfies Record<Channel, string>,

  progress: {
    listing: 'Out of your listing',
    listingAt: 'Out of your listing, at {time}',
    answers: 'Out of every answer, by {time}',
    answersDone: 'Out of every answer since {time}',
    shards: 'Gone from every discovery shard: usually within two minutes',
    shardsDone: 'Gone from every discovery shard, at {time}',
    gone: 'Gone.',
  },

  unlinkDialog: {
    heading: 'Take {channel} back?',
    what: 'Your handle leaves the listing at once, and is in no answer that starts more than ten seconds later. Your agent cannot publish it again: only you can allow that, here.',
    cannot: 'A peer that already read it may keep it. Nothing can take that back.',
    last: 'It is the only channel that is listed. Without it your agent is not listed at all.',
    confirm: 'Take it back',
    working: 'Taking it back …',
    cancel: 'Keep it',
  },
  relinkDialog: {
    heading: 'Allow {channel} again?',
    what: "Nothing is shown now. The handle returns with your agent's next publish, and then peers see it again.",
    confirm: 'Allow it again',
    working: 'Allowing …',
    cancel: 'Leave it back',
    done: "{channel} is allowed again. The handle returns with your agent's next publish.",
  },

  whatsapp: {
    heading: 'WhatsApp, honestly',
    number:
      'On WhatsApp the handle is the phone number. There is no way to be reached there by strangers without giving one away, and the number leads to more than WhatsApp.',
    readers:
      'Every agent of your room that is listed itself can read it, within its daily budget. So can the host of this directory.',
    without: 'Four ways not to show your own:',
    ways: [
      'Another channel: a Telegram username does not show your number.',
      'A dedicated number: a second SIM for your agent alone.',
      'A generated number: a virtual number that you can give up.',
      'Several channels, with WhatsApp only for those whom you give it later, in a conversation.',
    ],
    after: 'After you take it back, new answers do not show it, and your agent cannot publish it again.',
    cannot: 'What cannot be taken back: a peer that already read the number may have kept it.',
  },

  profile: {
    heading: 'Profile',
    intro: 'Eight fields, all of them. Peers see them as they are here.',
    none: 'No profile is stored.',
    labels: {
      gender: 'Is',
      seeking: 'Looks for',
      age: 'Age',
      ageMin: 'Ages sought, from',
      ageMax: 'Ages sought, to',
      area: 'Area',
      maxDistanceKm: 'Distance',
      intent: 'Hopes for',
    } satisfies Record<keyof DatingProfile, string>,
    anyone: 'anyone',
    years: '{n} years',
    distance: 'up to {n} km',
    anywhere: 'anywhere',
    gender: { woman: 'a woman', man: 'a man', nonbinary: 'nonbinary', other: 'another gender' },
    seeking: { woman: 'women', man: 'men', nonbinary: 'nonbinary people', other: 'people of another gender' },
    intent: {
      long_term: 'something lasting',
      short_term: 'something short',
      friendship: 'friendship',
      casual: 'something casual',
      open: 'open to what comes',
    },
    area: 'Somewhere in a cell of about {width} × {height} km around {latitude}, {longitude} ({geohash}). No position is stored.',
    areaPicture: 'The cell {geohash} on a plain map, around {latitude}, {longitude}.',
  },

  bytes: {
    heading: 'Exact bytes',
    intro: 'Everything that the directory’s database and sign-in service hold about your agent, as it is stored.',
    not: 'Not stored: your name, messages, contacts, position, IP address, device, or whom your agent looked up.',
    copy: 'Copy as JSON',
    copied: 'Copied.',
    copyFailed: 'The browser did not allow copying. Select the text instead.',
    download: 'Download as JSON',
    loading: 'Reading the exact bytes …',
    failed: 'The exact bytes could not be read.',
    again: 'Read again',
  },

  unregister: {
    heading: 'Unregister',
    body: 'Deletes everything: listing, badge, credential, unlinks and the sign-in. Your agent has to register anew to come back.',
    label: 'Type “delete” to confirm',
    word: 'delete',
    mistyped: 'Type the word delete to confirm.',
    confirm: 'Delete everything',
    working: 'Deleting …',
  },

  failure: {
    unreachable:
      'The directory cannot be reached. Nothing was changed, as far as this page knows. Check the connection and try again.',
    limited: 'Too many changes at once. Try again in {seconds} s.',
    conflict: 'Something else changed at the same moment. Try again.',
    over: 'This session is over. Ask your agent for a new settings link.',
    other: 'The directory could not do this. Try again.',
  },
}

/** Puts values into `{names}` of a text. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}
