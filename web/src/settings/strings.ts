import { formatDuration, goneWithinMs, minuteMs, settingsLinkLifetimeMs, settingsSessionMs } from '@koko/contract'

/** The republish runs each minute and takes less than another. */
export const usuallyGoneWithinMs = 2 * minuteMs

const linkLifetime = formatDuration(settingsLinkLifetimeMs)
const session = formatDuration(settingsSessionMs)
const goneWithin = formatDuration(goneWithinMs)
const usuallyGoneWithin = formatDuration(usuallyGoneWithinMs)

/** Every text of the settings page. */
export const strings = {
  title: 'Your settings',
  tryAgain: 'Try again',

  noLink: {
    heading: 'You need a link from your agent to open this page',
    body: `You do not need an account or a password. Ask your agent for its settings link. The link works once, for ${linkLifetime}, and opens this page for ${session}.`,
    how: 'On the command line, run:',
    followed:
      'If you followed a link, the part after its # may have been lost. If you reloaded this page or came back to it, its session has ended.',
  },
  incomplete: {
    heading: 'This link is not complete',
    body: 'Part of the link is missing or was changed. A chat or mail program may have cut it. Copy the whole link, or ask your agent for a new one.',
  },
  ready: {
    heading: 'Open your settings',
    body: `A settings link works once. After you open your settings, they stay open for ${session}, in this tab only.`,
    open: 'Open my settings',
    opening: 'Opening …',
  },
  failed: {
    spent: `This link does not work. It may have been used, replaced by a newer link, or be more than ${linkLifetime} old. Ask your agent for a new one.`,
    unreachable: 'Your settings could not be opened. Your link has not been used. Check your connection and try again.',
    unanswered:
      'The directory did not answer properly, so this page cannot tell whether your link was used. Try again to find out.',
    halfOpen: 'Your link was accepted, but signing in did not finish. Try again in this tab: you need no new link.',
    signInFailed: 'Your link was accepted, but signing in failed. Ask your agent for a new link.',
    limited: 'The directory is receiving too many requests.',
    other: 'The directory could not open this link. Try again. If that does not help, ask your agent for a new one.',
  },
  over: {
    ended: {
      title: 'Your session has ended',
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
    again: 'To open your settings again, ask your agent for a new link.',
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
    until: 'Open until {time}, in this tab only. You are signed out if you close or reload the tab.',
    ending: 'This page closes at {time}. To continue after that, ask your agent for a new link.',
    offline: 'You are offline. What you see may be out of date, and you cannot change anything until you are online.',
    stale: 'The latest data could not be read. What you see may be out of date. This page keeps trying.',
    loading: 'Reading your data …',
    failed: 'Your data could not be read. This page keeps trying.',
  },

  status: {
    heading: 'Status',
    online: {
      title: 'Online',
      body: `Peers in its room can discover your agent, usually within ${usuallyGoneWithin} after it publishes.`,
    },
    offline: {
      title: 'Offline',
      body: 'Your agent is listed, but peers cannot discover it: the day on which it was last seen began more than {window} ago.',
    },
    unlisted: {
      title: 'Not listed',
      body: 'Your agent has no listing. Peers can discover it only after it publishes a channel.',
    },
    unreadable: {
      title: 'Not readable',
      body: 'This page does not know the format of what is stored. You can still read the exact bytes and unlink every channel.',
    },
    labels: { registeredAtMs: 'Registered', publishedAtMs: 'Last published', lastSeenAtMs: 'Last seen' },
    days: 'Your listing holds these as days in UTC, without the time of day.',
  },

  channels: {
    heading: 'Channels',
    intro:
      'Peers can contact your agent on its listed channels. Any agent in your room that discovers yours can read those handles.',
    states: {
      listed: 'Listed',
      offline: 'Listed, but offline',
      unlisted: 'Not listed',
      unlinked: 'Unlinked',
      unreadable: 'Not readable',
    },
    noHandle: 'Your listing has no {handle}.',
    unlink: 'Unlink {channel}',
    relink: 'Allow {channel} again',
  },

  progress: {
    underWay: 'Unlinking is not finished yet.',
    out: 'New answers do not include your {handle}. The last copies are not removed yet.',
    held: 'New answers do not include your {handle}. Removing the last copies is taking longer than usual: the host may have paused this.',
    gone: 'Unlinking is finished. The directory does not show your {handle} to peers and holds no copy for them.',
    done: 'Done: ',
    open: 'Not yet: ',
    listing: 'Out of your listing',
    listingDone: 'Out of your listing since {time}',
    answers: 'Out of every answer that starts after {time}',
    shards: `Out of every discovery shard, usually within ${usuallyGoneWithin}`,
    shardsDone: 'Out of every discovery shard since {time}',
  },

  dialogs: {
    unlink: {
      heading: 'Stop sharing your {handle}?',
      body: `Your listing will no longer include your {handle}, nor will any answer that starts more than ${goneWithin} later. Your agent cannot publish it again until you allow that on this page.`,
      confirm: 'Unlink',
      working: 'Unlinking …',
      done: '{channel} was unlinked at {time}.',
    },
    prevent: {
      heading: 'Stop your agent from publishing your {handle}?',
      body: 'Your agent cannot publish a {handle} until you allow that on this page.',
      confirm: 'Unlink',
      working: 'Unlinking …',
      done: '{channel} was unlinked at {time}.',
    },
    relink: {
      heading: 'Let your agent publish your {handle} again?',
      body: 'This alone does not share it. Peers can read it again after your agent publishes it.',
      confirm: 'Allow again',
      working: 'Allowing …',
      done: '{channel} is allowed again. Peers can read your {handle} after your agent publishes it.',
    },
    last: 'This is your only listed channel. Without it, your agent has no listing.',
    unreadable: 'If the directory cannot read your listing either, it deletes the whole listing.',
    cannot: 'Peers that already read it may keep it. You cannot undo that.',
    cancel: 'Cancel',
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
    none: 'No profile is stored.',
    unreadable: 'This page does not know the format of your profile.',
    area: 'An area of about {width} × {height} km around {latitude}, {longitude} (geohash {geohash}). No position is stored.',
    areaPicture: 'The area {geohash} on a plain map, around {latitude}, {longitude}.',
  },

  bytes: {
    heading: 'Exact bytes',
    label: 'The exact bytes, as JSON',
    intro: 'Everything that the directory’s database and sign-in service hold about your agent, as it is stored.',
    not: 'Not stored: your name, messages, contacts, position, IP address, device, or which agents yours looked up.',
    copy: 'Copy as JSON',
    copied: 'Copied.',
    copyFailed: 'Your browser did not allow copying. Select the text instead.',
    download: 'Download as JSON',
    downloaded: 'The download has started.',
    loading: 'Reading the exact bytes …',
    failed: 'The exact bytes could not be read.',
    again: 'Read again',
    reading: 'Reading …',
    readAt: 'Read at {time}.',
  },

  unregister: {
    heading: 'Unregister',
    body: 'This deletes your agent from the directory: its listing, badge, credential, unlinks and sign-in. To return, it must register again.',
    label: 'Type “delete” to confirm',
    word: 'delete',
    mistyped: 'Type the word delete to confirm.',
    confirm: 'Delete everything',
    working: 'Deleting …',
  },

  failure: {
    unanswered:
      'The directory did not answer properly, so this page cannot tell whether the change was made. Check your connection and try again: making the change twice does no harm.',
    limited: 'The directory is receiving too many requests and did not carry out this one.',
    conflict: 'The directory was making another change, so it did not make this one. Try again.',
    other: 'Something went wrong, and the change may not have been made. Try again in a moment.',
    retryIn: 'Try again in {wait}.',
    retryLater: 'Try again in a moment.',
  },
}

/** Puts values into `{names}` of a text. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}
