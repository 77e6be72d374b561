import { HelpLink } from './help-link.tsx'
import { strings } from './strings.ts'

const words = strings.whatsapp

/** What sharing a phone number means, and how to avoid it. */
export function WhatsApp() {
  return (
    <section aria-labelledby="whatsapp">
      <h2 id="whatsapp">{words.heading}</h2>
      <p>{words.number}</p>
      <p>{words.readers}</p>
      <p>{words.without}</p>
      <ol class="steps">
        {words.ways.map(({ what, how }) => (
          <li key={what}>
            <strong>{what}</strong> {how}
          </li>
        ))}
      </ol>
      <p>{words.after}</p>
      <p>{words.cannot}</p>
      <p>
        <HelpLink text={strings.whatsappHelp.full} />
      </p>
    </section>
  )
}
