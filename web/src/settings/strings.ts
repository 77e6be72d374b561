/** Every word of the settings page. */
export const strings = {
  title: 'Your settings',

  noLink: {
    heading: 'This page opens with a link from your agent',
    body: 'There is no account and no password. Ask your agent for its settings link: it works once, for ten minutes, and opens this page for half an hour.',
    how: 'With the command line that is:',
    command: 'koko settings',
    followed:
      'You followed a link? Then the part after its # was lost on the way, or this page was reloaded, which ends its session.',
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
    unreachable:
      'The directory cannot be reached. Your link is not used up: check the connection and try again, or open the link once more.',
    unanswered:
      'The directory gave no answer, so this page cannot know whether your link is used up. Try again: if it is, you are told so.',
    halfOpen:
      'Your link was accepted, but the sign-in service gave no answer. Try again in this tab, which does not need the link any more.',
    signInRefused: 'Your link was accepted, but the sign-in was refused. Ask your agent for a new link.',
    limited: 'The directory is busy. Your link is not used up: try again in {seconds} seconds.',
    other: 'The directory could not open this link. If trying again does not help, ask your agent for a new one.',
    again: 'Try again',
  },
  over: {
    ended: {
      title: 'This session is over',
      body: 'Thirty minutes have passed. Nothing was changed by that: what you took back stays back.',
    },
    refused: {
      title: 'This session opens nothing any more',
      body: 'Its agent has a new secret, which ends every session that began before. What you took back stays back.',
    },
    removed: {
      title: 'This agent is not registered any more',
      body: 'It was unregistered elsewhere: by your agent, by the host, or in another tab. Its documents are deleted.',
    },
    signedOut: { title: 'You are signed out', body: 'This tab holds nothing about you any more.' },
    again: 'To come back, ask your agent for a new settings link.',
  },
  gone: {
    heading: 'Nothing is left',
    body: 'Your agent is unregistered. These are the places where its documents were, read again just now:',
    headingUnproven: 'Your agent is unregistered',
    bodyUnproven:
      'The directory has said so. These are the places where its documents were; not all could be read again:',
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
    until: 'Open until {time}, in this tab only. Closing or reloading it signs you out.',
    ending:
      'This page closes at {time}. What you are doing then is either done or not begun. To go on, ask your agent for a new link.',
    offline: 'You are offline. What you see may be old, and nothing can be changed until you are back.',
    stale: 'The directory does not answer. What you see may be old; this page keeps asking.',
    loading: 'Reading what is stored …',
    failed: 'What is stored could not be read. This page keeps asking.',
    again: 'Try again',
  },

  status: {
    heading: 'Status',
    online: { title: 'Online', body: 'Peers of the room can discover your agent.' },
    offline: {
      title: 'Offline',
      body: 'Your agent is listed but has not been seen for two and a half days, so peers do not discover it.',
    },
    unlisted: { title: 'Not listed', body: 'No channel is published, so peers do not discover your agent.' },
    unreadable: {
      title: 'Not readable here',
      body: 'What is stored does not have the form that this page knows. Its exact bytes are below, and every channel can still be taken back.',
    },
    labels: { registeredAtMs: 'In the room since', publishedAtMs: 'Last published', lastSeenAtMs: 'Last seen' },
    days: 'Days as the directory counts them, in UTC. It keeps no finer times.',
  },

  channels: {
    heading: 'Channels',
    intro:
      'Peers reach your agent by these. Each handle is shown to every listed agent of your room that discovers yours.',
    states: {
      shown: 'Peers see it',
      offline: 'Published, but offline',
      none: 'Not published',
      back: 'Taken back',
      unknown: 'Not readable here',
    },
    noHandle: 'No handle is stored in the listing.',
    empty: 'No handle is stored.',
    unlink: 'Take {channel} back',
    keepOut: 'Keep {channel} out',
    relink: 'Allow {channel} again',
  },

  progress: {
    underWay: 'Being taken back.',
    out: 'No peer is shown it any more. The last copies are being removed.',
    held: 'No peer is shown it any more. Removing the last copies takes longer than usual: the host may have paused that work.',
    gone: 'Gone: the directory shows it to nobody and holds no copy for peers.',
    done: 'Done: ',
    open: 'Not yet: ',
    listing: 'Out of your listing',
    listingDone: 'Out of your listing at {time}',
    answers: 'Out of every answer by {time}',
    answersDone: 'Out of every answer since {time}',
    shards: 'Gone from every discovery shard, usually within two minutes',
    shardsDone: 'Gone from every discovery shard at {time}',
  },

  unlinkDialog: {
    heading: 'Take {channel} back?',
    what: 'Your handle leaves the listing at once, and is in no answer that starts more than ten seconds later. Your agent cannot publish it again: only you can allow that, here.',
    cannot: 'A peer that already read it may keep it. Nothing can take that back.',
    last: 'It is the only channel that is listed. Without it your agent is not listed at all.',
    confirm: 'Take it back',
    working: 'Taking it back …',
    cancel: 'Keep it',
    done: '{channel} was taken back at {time}.',
  },
  keepOutDialog: {
    heading: 'Keep {channel} out?',
    what: 'Your agent has published no handle of {channel}. From now on it cannot: only you can allow that, here.',
    confirm: 'Keep it out',
    working: 'Keeping it out …',
    cancel: 'Leave it open',
    done: '{channel} is kept out since {time}.',
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
      { what: 'Another channel.', how: 'A Telegram username does not show your number.' },
      { what: 'A dedicated number.', how: 'A second SIM, for your agent alone.' },
      { what: 'A generated number.', how: 'A virtual number that you can give up.' },
      { what: 'Several channels.', how: 'WhatsApp only for those to whom you give it later, in a conversation.' },
    ],
    after: 'After you take it back, new answers do not show it, and your agent cannot publish it again.',
    cannot: 'What cannot be taken back: a peer that already read the number may have kept it.',
  },

  profile: {
    heading: 'Profile',
    intro: 'All the fields of your profile. Peers see them as they are here.',
    none: 'No profile is stored.',
    area: 'Somewhere in a cell of about {width} × {height} km around {latitude}, {longitude} ({geohash}). No position is stored.',
    areaPicture: 'The cell {geohash} on a plain map, around {latitude}, {longitude}.',
  },

  bytes: {
    heading: 'Exact bytes',
    label: 'The exact bytes, as JSON',
    intro: 'Everything that the directory’s database and sign-in service hold about your agent, as it is stored.',
    not: 'Not stored: your name, messages, contacts, position, IP address, device, or whom your agent looked up.',
    copy: 'Copy as JSON',
    copied: 'Copied.',
    copyFailed: 'The browser did not allow copying. Select the text instead.',
    download: 'Download as JSON',
    downloaded: 'The download has begun.',
    loading: 'Reading the exact bytes …',
    failed: 'The exact bytes could not be read.',
    again: 'Read again',
    reading: 'Reading …',
    readAt: 'As stored at {time}.',
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
      'The directory gave no answer, so this page cannot know whether that was done. Check the connection and try again: doing it twice does no harm.',
    limited: 'Too many requests at once. Nothing was changed. Try again in {seconds} seconds.',
    conflict: 'Something else changed at the same moment, so nothing was done. Try again.',
    other: 'The directory could not do this. Try again in a moment.',
  },
}

/** Puts values into `{names}` of a text. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}
