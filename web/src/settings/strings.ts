import {
  dayMs,
  formatDuration,
  goneWithinMs,
  republishedWithinMs,
  retentionMs,
  settingsLinkLifetimeMs,
  settingsSessionMs,
} from '@koko/contract'

const linkLifetime = formatDuration(settingsLinkLifetimeMs)
const session = formatDuration(settingsSessionMs)
const goneWithin = formatDuration(goneWithinMs)
const usuallyGoneWithin = formatDuration(republishedWithinMs)
const retentionDays = retentionMs / dayMs

/** Every text of the settings page. `{names}` are filled in. */
export const strings = {
  title: 'Your settings',
  tryAgain: 'Try again',
  newTab: ' (in a new tab)',
  newLink: 'Ask your agent for a new link. On the command line, run:',
  whatsappHelp: {
    short: 'WhatsApp and your number',
    full: 'WhatsApp and your number: what is stored, and how to keep your number private',
  },

  noLink: {
    heading: 'You need a link from your agent to open this page',
    body: `You do not need an account or a password. Ask your agent for its settings link. The link works once, for ${linkLifetime}, and opens this page for ${session}.`,
    how: 'On the command line, run:',
    followed: 'If you followed a link, the part after its # may have been lost: copy the whole link.',
  },
  incomplete: {
    heading: 'This link is not complete',
    body: 'Part of the link is missing or was changed. A chat or mail program may have cut it. Copy the whole link, or use a new one.',
  },
  spent: {
    heading: 'This link no longer works',
    body: `A settings link works once, for ${linkLifetime}, and a newer link replaces it. This one was used, replaced or is too old.`,
    opened: 'If you opened it in another tab, your settings are still open there.',
    stranger: `If you did not open it, someone else may have, and can see and unlink your channels for ${session}. To end that session, give your agent a new secret:`,
  },
  ready: {
    heading: 'Open your settings',
    body: `A settings link works once. After you open your settings, they stay open for ${session}, in this tab only.`,
    open: 'Open my settings',
    opening: 'Opening …',
  },
  failed: {
    unreachable: 'Your settings could not be opened. Your link has not been used. Check your connection and try again.',
    unanswered:
      'The directory did not answer properly, so this page cannot tell whether your link was used. Try again to find out.',
    halfOpen: 'Your link was accepted, but signing in did not finish. Try again in this tab: you need no new link.',
    signInFailed: 'Your link was accepted, but signing in failed. Ask your agent for a new link.',
    limited: 'The directory is receiving too many requests.',
    other: 'The directory could not open this link. Try again. If that does not help, ask your agent for a new one.',
    resume: 'Your settings could not be loaded. Check your connection and try again. You need no new link.',
  },
  over: {
    ended: {
      title: 'This session has ended',
      body: `Settings close after ${session}. The channels that you unlinked stay unlinked.`,
    },
    refused: {
      title: 'Your session is no longer valid',
      body: 'This usually means that your agent has a new secret, which ends every earlier session. The channels that you unlinked stay unlinked.',
    },
    removed: {
      title: 'Your agent is no longer registered',
      body: 'It was unregistered in another tab, by your agent or by the directory. Its listing is deleted.',
    },
    signedOut: { title: 'You have signed out', body: 'This tab no longer holds any data about your agent.' },
  },
  gone: {
    heading: 'Your agent is unregistered',
    proven: 'This page has just checked where the documents of your agent were stored:',
    unproven: 'This page could not confirm that every document of your agent is deleted:',
    nothing: 'nothing stored',
    something: 'still stored',
    unknown: 'could not be checked',
    peers: `Answers that start after {time} do not include your handles. The last copies leave the discovery shards later, usually within ${usuallyGoneWithin}.`,
    signIn: 'Your sign-in was deleted, and this tab is signed out.',
    cannot: 'Peers that already read a handle may have kept it.',
  },

  session: {
    agent: 'Agent',
    signOut: 'Sign out',
    until: 'Open until {time}, in this tab only. Closing the tab ends it.',
    ending: 'This page closes at {time}. To continue after that, ask your agent for a new link.',
    offline: 'You are offline. What you see was read on {time}. You cannot change anything until you are online.',
    stale:
      'The directory could not be read. What you see was read on {time} and may be out of date. This page keeps trying.',
    loading: 'Reading your data …',
    failed: 'Your data could not be read. This page keeps trying. You can still unlink every channel.',
    failedOffline: 'You are offline, so your data could not be read. This page keeps trying.',
  },

  status: {
    heading: 'Status',
    online: {
      title: 'Online',
      body: `Peers in its room can discover your agent, usually within ${usuallyGoneWithin} after it publishes.`,
    },
    offline: {
      title: 'Offline',
      body: 'Offline since {since}. Your agent is listed, but peers cannot discover it: it was last seen on {seen} (UTC).',
    },
    unlisted: {
      title: 'Not listed',
      body: 'Your agent has no listing, so peers cannot discover it.',
    },
    unreadable: {
      title: 'Not readable',
      body: 'This page does not know the format of what is stored. You can still read the exact bytes and unlink every channel.',
    },
    unknown: {
      title: 'Not known',
      body: 'This page has not read what is stored. You can still unlink every channel.',
    },
    labels: { registeredAtMs: 'Registered', publishedAtMs: 'Last published', lastSeenAtMs: 'Last seen' },
    days: 'Your listing holds these as days in UTC, without the time of day.',
    readAt: 'Read from the directory on {time}.',
    next: {
      run: 'To bring it online, run this on the machine where your agent lives, and keep it running:',
      publish: 'To publish, run this on the machine where your agent lives:',
      allow: 'Every channel is unlinked. Allow one below first. Then run this on the machine where your agent lives:',
      link: 'If it has no handle to publish yet, give it one first, for example:',
      removedOffline: `If it is not seen before {day} (UTC), the directory removes it: an agent that is not seen for ${retentionDays} days is unregistered.`,
      removedUnlisted: `If it publishes nothing before {day} (UTC), the directory removes it: an agent without a listing for ${retentionDays} days is unregistered.`,
    },
  },

  channels: {
    heading: 'Channels',
    intro:
      'Peers can contact your agent on its listed channels. Any agent in your room that discovers yours can read those handles.',
    states: {
      listed: 'Visible to peers',
      offline: 'Listed, hidden while offline',
      unlisted: 'Not published',
      unlinked: 'Unlinked',
      unreadable: 'Not readable',
      unknown: 'Not known',
    },
    noHandle: 'Your listing has no {handle}.',
    unlink: 'Unlink {channel}',
    relink: 'Allow {channel} again',
    unlinkAll: 'Unlink every channel',
  },

  progress: {
    underWay: 'Your {handle} is out of your listing. Unlinking is not finished yet.',
    out: 'New answers do not include your {handle}. The last copies are not removed yet.',
    held: 'New answers do not include your {handle}. Removing the last copies is taking longer than usual: the host may have paused this.',
    gone: 'Unlinking is finished. The directory does not show your {handle} to peers and holds no copy for them.',
    prevented:
      '{channel} has been blocked since {time}. Your listing had no {handle} then. Your agent cannot publish one until you allow that here.',
    done: 'Done: ',
    open: 'Not yet: ',
    listing: 'Out of your listing',
    listingDone: 'Out of your listing since ',
    answers: 'Out of every answer that starts after ',
    shards: `Out of every discovery shard, usually within ${usuallyGoneWithin}`,
    shardsDone: 'Out of every discovery shard since ',
  },

  dialogs: {
    unlink: {
      heading: 'Stop sharing your {handle} {value}?',
      body: `Your listing will no longer include it, nor will any answer that starts more than ${goneWithin} later. Your agent cannot publish a {handle} again until you allow that on this page.`,
      confirm: 'Stop sharing',
      working: 'Unlinking …',
      cancel: 'Keep sharing',
    },
    prevent: {
      heading: 'Block your {handle} before it is published?',
      body: 'Your listing has no {handle} now. Your agent cannot publish one until you allow that on this page.',
      confirm: 'Block',
      working: 'Blocking …',
      cancel: 'Cancel',
    },
    relink: {
      heading: 'Let your agent publish your {handle} again?',
      body: 'This alone does not share it. After your agent publishes it, any peer that discovers your agent can read it.',
      confirm: 'Allow again',
      working: 'Allowing …',
      cancel: 'Keep it hidden',
      done: '{channel} is allowed again. Peers can read your {handle} after your agent publishes it.',
    },
    all: {
      heading: 'Stop sharing every channel?',
      visible: 'Your listing will no longer include these handles:',
      blocked: 'Your agent cannot publish these either until you allow that on this page: {channels}.',
      body: `Answers that start more than ${goneWithin} later include none of them. Your agent then has no listing.`,
      confirm: 'Stop sharing all',
      working: 'Unlinking …',
      cancel: 'Cancel',
      done: 'Every channel is unlinked.',
      unlinked: 'Unlinked: {channels}.',
      visibleStill: 'Still visible to peers: {channels}.',
      openStill: 'Not blocked yet: {channels}.',
    },
    last: 'This is your only listed channel. Without it, your agent has no listing.',
    unreadable: 'If the directory cannot read your listing either, it deletes the whole listing.',
    cannot: 'Peers that already read it may keep it. You cannot undo that.',
  },

  whatsapp: {
    heading: 'Your phone number',
    number:
      'Your handle on WhatsApp is a phone number. It can also lead people to other accounts that you use with that number.',
    readers:
      'While it is listed, every listed agent in your room can read it, within a daily budget. The host of this directory can read it too.',
    without: 'You can keep your own number private:',
    ways: [
      { what: 'Another channel.', how: 'Use a Telegram username, and hide your number in the Telegram settings.' },
      { what: 'A dedicated number.', how: 'Use a second SIM for your agent only.' },
      { what: 'A virtual number.', how: 'Use a number from an online service, which you can give up.' },
      { what: 'A later exchange.', how: 'List another channel, and give your number only to people you choose.' },
    ],
    after: `If you unlink WhatsApp, answers that start more than ${goneWithin} later do not include the number, and your agent cannot publish it again until you allow that.`,
    cannot: 'Peers that already read the number may keep it. You cannot undo that.',
  },

  profile: {
    heading: 'Profile',
    intro: 'These are all the fields of your profile. Peers can read them while your agent is listed.',
    missing: {
      absent: 'No profile is stored.',
      unreadable: 'This page does not know the format of your profile.',
      unknown: 'This page has not read your profile.',
    },
    area: 'An area of about {width} × {height} km around {latitude}, {longitude} (geohash {geohash}). No position is stored.',
    areaPicture: 'The area {geohash} on a plain map, around {latitude}, {longitude}.',
  },

  bytes: {
    heading: 'Exact bytes',
    label: 'The exact bytes, as JSON',
    intro:
      'Everything that the directory’s database and sign-in service hold about your agent, as it is stored. The host of this directory can read all of it.',
    not: 'Not stored: your name, messages, contacts, position, IP address, device, or which agents yours looked up.',
    dates: 'The dates beside the numbers are not stored: this page adds them for you. Copies and downloads have none.',
    kinds: {
      badge: { title: 'Badge', readers: 'owner' },
      listing: { title: 'Listing', readers: 'peers' },
      entry: { title: 'Discovery entry', readers: 'peers' },
      unlinks: { title: 'Unlinks', readers: 'owner' },
      account: { title: 'Account', readers: 'directory' },
      change: { title: 'Change that waits for the republish', readers: 'directory' },
      removal: { title: 'Removal that waits for the republish', readers: 'directory' },
      settingsLink: { title: 'Open settings link', readers: 'directory' },
      signIn: { title: 'Sign-in record', readers: 'directory' },
      other: { title: 'Document', readers: 'unknown' },
    },
    readers: {
      peers: 'Peers can read this while your agent is online',
      owner: 'Only you and the host can read this',
      directory: 'Only the directory uses this',
      unknown: 'This page does not know who can read this',
    },
    copy: 'Copy as JSON',
    copied: 'Copied.',
    copyFailed: 'Your browser did not allow copying. Select the text instead.',
    download: 'Download as JSON',
    downloaded: 'The download has started.',
    again: 'Read again',
    reading: 'Reading …',
    readAt: 'Read on {time}.',
  },

  unregister: {
    heading: 'Unregister',
    body: 'This deletes your agent from the directory: its listing, badge, credential, unlinks and sign-in. You cannot undo it. To return, your agent must register again.',
    label: 'Type “delete” to confirm',
    word: 'delete',
    mistyped: 'Type the word delete to confirm.',
    confirm: 'Delete everything',
    working: 'Deleting …',
  },

  failure: {
    unanswered:
      'The directory did not answer properly, so this page cannot tell whether the change was made. It keeps checking. Check your connection or try again: making the change twice does no harm.',
    limited: 'The directory is receiving too many requests and did not carry out this one.',
    conflict: 'The directory was making another change, so it did not make this one. Try again.',
    other: 'Something went wrong, and the change may not have been made. Try again in a moment.',
    retryIn: 'Try again in {wait}.',
    retryLater: 'Try again in a moment.',
  },
} as const

/** Puts values into `{names}` of a text. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}
