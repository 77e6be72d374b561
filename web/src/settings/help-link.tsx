import { strings } from './strings.ts'

/** Links to the page about WhatsApp, in a tab of its own, so that the settings stay open. */
export function HelpLink({ text }: { text: string }) {
  return (
    <a href="/help/whatsapp" target="_blank" rel="noreferrer">
      {text}
      <span class="unseen">{strings.newTab}</span>
    </a>
  )
}
